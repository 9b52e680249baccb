"""`python -m server.limits`: what the engines alone manage on this machine, the limit of any server around them.

Runs the members of the newest release on pixels that are ready, in the precision that the release asks for, in four
ways: `serial` (photo by photo, one member after the other, all cores), `side by side` (each member in a thread of its
own, sharing the cores), `batched` (one member after the other, in batches on all cores), `streams` (the same, the batch
as single photos on a share of the cores each). Prints photos per second as JSON.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server import repository
from server.cores import CoreShares
from server.engine import Engine
from server.members import engine_cores, engine_settings

BATCH = 8
Member = tuple[Engine, list[dict[str, NDArray[np.float32]]]]
"""Engine, and a batch of pixels as it takes them."""


def members(folder: Path, locks: Path, cores: int) -> list[Member]:
    """The engines of the newest release, as the stand-in backend runs them."""
    found = []
    for step in repository.read_configuration(folder / repository.newest_ensemble(folder)).ensemble_scheduling.step:
        configuration = repository.read_configuration(folder / step.model_name)
        if configuration.backend != "tensorrt":
            continue
        version = folder / step.model_name / str(step.model_version)
        engine = Engine(version / "model.onnx", engine_settings(version), cores, CoreShares(locks, cores))
        pixels = np.random.default_rng(0).normal(size=(BATCH, *configuration.input[0].dims)).astype(np.float32)
        found.append((engine, [{configuration.input[0].name: pixels[i : i + 1]} for i in range(BATCH)]))
    return found


def photo_by_photo(member: Member) -> None:
    """A batch through one member, one photo at a time."""
    engine, rows = member
    for row in rows:
        engine([row])


def measure(engines: list[Member], seconds: float) -> dict[str, float]:
    """Photos per second of each way."""

    def serial() -> None:
        for engine, rows in engines:
            engine.infer_at_once(rows[:1])

    def batched() -> None:
        for engine, rows in engines:
            engine.infer_at_once(rows)

    def streams() -> None:
        for engine, rows in engines:
            engine(rows)

    with ThreadPoolExecutor(len(engines)) as pool:

        def side_by_side() -> None:
            """A batch per member, photo by photo; over when the slower one has finished."""
            jobs = [pool.submit(photo_by_photo, member) for member in engines]
            for job in jobs:
                job.result()

        return {
            "serial": rate(serial, 1, seconds),
            "side by side": rate(side_by_side, BATCH, seconds),
            "batched": rate(batched, BATCH, seconds),
            "streams": rate(streams, BATCH, seconds),
        }


def rate(step: Callable[[], Any], photos: int, seconds: float) -> float:
    """Photos per second of a step that handles `photos` at once, after one call to warm up."""
    step()
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        step()
        calls += 1
    return calls * photos / (time.perf_counter() - start)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m server.limits", description=__doc__)
    parser.add_argument("--repository", type=Path, required=True, help="model repository")
    parser.add_argument("--seconds", type=float, default=10, help="of each way, default %(default)s")
    given = parser.parse_args()
    cores = engine_cores()
    with tempfile.TemporaryDirectory() as folder:
        engines = members(given.repository, Path(folder), cores)
        sys.stdout.write(json.dumps(measure(engines, given.seconds)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
