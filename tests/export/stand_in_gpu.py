"""A GPU that is this machine's memory, and a TensorRT whose plans are ONNX files: what they are asked is what is proved."""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from export.verify import PINNED_TENSORRT


class Driver:
    """As much of `libcuda.so.1` as is called; `refuses` names a function that fails."""

    def __init__(self, refuses: str = "") -> None:
        self.refuses = refuses
        self.memory: dict[int, Any] = {}

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            return 100 if name == self.refuses else self._do(name, *arguments)

        return call

    def _do(self, name: str, *arguments: Any) -> int:
        if name == "cuStreamCreate":
            arguments[0]._obj.value = 7
        elif name == "cuMemAlloc_v2":
            buffer = ctypes.create_string_buffer(arguments[1].value)
            arguments[0]._obj.value = ctypes.addressof(buffer)
            self.memory[arguments[0]._obj.value] = buffer
        elif name in ("cuMemcpyHtoD_v2", "cuMemcpyDtoH_v2"):
            target, source, size = (argument.value for argument in arguments)
            (address,) = {target, source} & set(self.memory)
            assert size <= len(self.memory[address])
            ctypes.memmove(target, source, size)
        elif name == "cuStreamSynchronize":
            assert arguments[0].value == 7
        else:
            assert name in ("cuInit", "cuDeviceGet", "cuDevicePrimaryCtxRetain", "cuCtxSetCurrent"), name
        return 0


class Context:
    """Runs the ONNX file on the addresses that it was given."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session, self._addresses, self._shapes = session, {}, {}

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shapes[name] = shape
        return shape[0] <= 16

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._shapes[name]

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == 7
        (given,) = (tensor.name for tensor in self._session.get_inputs())
        count = int(np.prod(self._shapes[given])) * 4
        pixels = np.frombuffer(ctypes.string_at(self._addresses[given], count), np.float32).reshape(self._shapes[given])
        names = [tensor.name for tensor in self._session.get_outputs()]
        for name, values in zip(names, self._session.run(names, {given: pixels}), strict=True):
            self._shapes[name] = values.shape
            ctypes.memmove(self._addresses[name], values.ctypes.data, values.nbytes)
        return True


class Engine:
    """What a plan says of its tensors."""

    def __init__(self, content: bytes) -> None:
        self._session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        self._given = list(self._session.get_inputs())
        self._tensors = [*self._given, *self._session.get_outputs()]
        self.num_io_tensors = len(self._tensors)

    def get_tensor_name(self, index: int) -> str:
        return str(self._tensors[index].name)

    def get_tensor_dtype(self, name: str) -> str:
        return (
            next(tensor.type for tensor in self._tensors if tensor.name == name)
            .removeprefix("tensor(")
            .removesuffix(")")
        )

    def get_tensor_mode(self, name: str) -> str:
        return "in" if name in [tensor.name for tensor in self._given] else "out"

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        (shape,) = (tensor.shape for tensor in self._tensors if tensor.name == name)
        return (-1, *shape[1:])

    def create_execution_context(self) -> Context:
        return Context(self._session)


class Logger:
    """TensorRT's own base."""

    ERROR, INTERNAL_ERROR = "error", "internal error"


class Tensorrt:
    """The module."""

    __version__ = PINNED_TENSORRT
    ILogger = Logger

    float32 = "float"

    class TensorIOMode:
        INPUT = "in"

    class Runtime:
        def __init__(self, logger: Any) -> None:
            self._logger = logger

        def deserialize_cuda_engine(self, content: bytes) -> Engine | None:
            if content.startswith(b"for another TensorRT"):
                self._logger.log(Logger.ERROR, "version tag mismatch")
                return None
            return Engine(content)


def as_plan(file: Path) -> bytes:
    """A plan that answers what an ONNX file does."""
    return file.read_bytes()
