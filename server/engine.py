"""The CPU engine: OpenVINO on a member's `model.onnx`."""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


def usable_cores() -> int:
    """Cores that this process may run on (respects affinity, and so containers that set it)."""
    return len(os.sched_getaffinity(0))


class Engine:
    """One compiled network; batch size is free.

    Args:
        model: path of an ONNX file.
        precision: `float32` or `bfloat16`; a processor without bfloat16 arithmetic computes in float32.
        threads: of one inference.
        lock: a file that engines of several processes share, so that one computes at a time with all threads:
            two members side by side would fight for the same cores. None: no waiting.
    """

    def __init__(self, model: Path, precision: str, threads: int, lock: Path | None) -> None:
        properties: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # each stub process would pin its threads to the same first cores
            "ENABLE_CPU_PINNING": False,
            # a 2-core cloud machine is often one physical core with two threads: use both
            "ENABLE_HYPER_THREADING": True,
        }
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(model), "CPU", properties)
        self._request = compiled.create_infer_request()
        self._outputs = [port.get_any_name() for port in compiled.outputs]
        self._lock = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600) if lock else None

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Infer a batch: arrays by input name in, arrays by output name out (copies)."""
        with self._turn():
            results = self._request.infer(dict(inputs))
        return {name: np.array(results[name]) for name in self._outputs}

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if self._lock is None:
            yield
            return
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
