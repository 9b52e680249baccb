"""Runs a TensorRT plan on this host's GPU, as Triton's backend does: one context, one stream."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.cuda_driver import Gpu
from export.engines import PROFILE, logger_of
from export.errors import EngineError

MOST = PROFILE[-1]
FLOAT_BYTES = 4


class RunningPlan:
    """A plan in the GPU's memory; all its tensors are float32, their first side is the batch.

    Args:
        trt: TensorRT's Python module, of the version that built the plan.
        content: the plan.
        gpu: where it runs.

    Raises:
        EngineError: TensorRT cannot load it here.
    """

    def __init__(self, trt: Any, content: bytes, gpu: Gpu) -> None:
        self._gpu, self._logger = gpu, logger_of(trt)
        self._runtime = trt.Runtime(self._logger)
        self._engine = self._runtime.deserialize_cuda_engine(content)
        if self._engine is None:
            raise EngineError(f"TensorRT {trt.__version__} cannot load the plan: {self._reasons()}.")
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise EngineError(f"TensorRT {trt.__version__} cannot prepare the plan: {self._reasons()}.")
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        given = [name for name in names if self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        if len(given) != 1:
            raise EngineError(f"The plan takes {len(given)} tensors, a member's takes one: build it again.")
        self._input, self._outputs = given[0], [name for name in names if name not in given]
        self._addresses = {}
        for name in names:
            if self._engine.get_tensor_dtype(name) != trt.float32:
                raise EngineError(f"The plan's {name} is no float32 tensor, a member's all are: build it again.")
            sides = tuple(self._engine.get_tensor_shape(name))[1:]
            self._addresses[name] = gpu.allocate(FLOAT_BYTES * MOST * math.prod(sides))
            self._context.set_tensor_address(name, self._addresses[name])

    def __call__(self, pixels: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Pixels [1 to 16, 3, height, width] to every output by name.

        Raises:
            EngineError: TensorRT fails.
        """
        if not self._context.set_input_shape(self._input, pixels.shape):
            raise EngineError(f"The plan does not take {pixels.shape}: {self._reasons()}.")
        self._gpu.upload(self._addresses[self._input], pixels)
        if not self._context.execute_async_v3(self._gpu.stream):
            raise EngineError(f"The plan fails on {pixels.shape}: {self._reasons()}.")
        return {
            name: self._gpu.download(self._addresses[name], tuple(self._context.get_tensor_shape(name)))
            for name in self._outputs
        }

    def _reasons(self) -> str:
        return "; ".join(self._logger.errors) or "no reason given"
