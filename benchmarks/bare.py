"""The engines alone, on pixels that are ready: the limit of any server around them.

Three ways to use the cores: `serial` (one member after the other, all cores, photo by photo), `side by side` (each
member in its own thread, sharing the cores), `batched` (serial, in batches).
"""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
BATCH = 8
PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


@dataclass(frozen=True)
class MemberFiles:
    """What a bare engine needs of a member: its network, its pixels [photos, 3, height, width], its precision."""

    onnx: Path
    pixels: Pixels
    precision: str


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def compile_member(member: MemberFiles, threads: int) -> Callable[[Pixels], Any]:
    """The member on OpenVINO as the server runs it, called with a batch of pixels."""
    core = openvino.Core()
    properties = {
        "INFERENCE_PRECISION_HINT": PRECISIONS[member.precision],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
        "ENABLE_HYPER_THREADING": True,
    }
    request = core.compile_model(core.read_model(member.onnx), "CPU", properties).create_infer_request()
    return lambda pixels: request.infer([pixels])


class BareEngines:
    """Every way compiled once, measured as often as wanted."""

    def __init__(self, members: Sequence[MemberFiles]) -> None:
        self._members = members
        self._wide = [compile_member(member, cores()) for member in members]
        self._narrow = [compile_member(member, max(1, cores() // len(members))) for member in members]
        self._pool = ThreadPoolExecutor(len(members))
        self._photo = 0

    def measure(self, seconds: float) -> dict[str, float]:
        """Photos per second of each way."""
        return {
            "serial": rate(lambda: self._serial(1), 1, seconds),
            "side by side": rate(self._side_by_side, 1, seconds),
            "batched": rate(lambda: self._serial(BATCH), BATCH, seconds),
        }

    def _next(self, member: MemberFiles, count: int) -> Pixels:
        start = self._photo % (len(member.pixels) - count + 1)
        return member.pixels[start : start + count]

    def _serial(self, count: int) -> None:
        for engine, member in zip(self._wide, self._members, strict=True):
            engine(self._next(member, count))
        self._photo += count

    def _side_by_side(self) -> None:
        """Each photo goes through all members at once; the next follows when the slowest has finished."""
        jobs = [
            self._pool.submit(engine, self._next(member, 1))
            for engine, member in zip(self._narrow, self._members, strict=True)
        ]
        for job in jobs:
            job.result()
        self._photo += 1


def rate(step: Callable[[], Any], photos: int, seconds: float) -> float:
    """Photos per second of a step that handles `photos` at once, after one call to warm up."""
    step()
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        step()
        calls += 1
    return calls * photos / (time.perf_counter() - start)
