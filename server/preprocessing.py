"""Runs a step's own DALI pipeline on the CPU; one bad image fails alone."""

import contextlib
import functools
import os
import runpy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Views = list[NDArray[np.float32]]


class Preprocessor:
    """The pipeline that `dali.py` in a version folder defines, built for the CPU.

    A DALI pipeline is dead after an error, and the error names no sample: so on an error the pipeline is built anew
    (about 2 ms) and the batch tried again in halves, until the bad image stands alone.
    """

    def __init__(self, version_folder: Path, batch_size: int, threads: int) -> None:
        # run, not imported: an import would leave __pycache__ in the version folder, which Triton takes for a change
        module = runpy.run_path(str(version_folder / "dali.py"))
        marked = [value for value in module.values() if getattr(value, "_is_autoserialize", False)]
        if len(marked) != 1:
            raise ValueError(
                f"{version_folder / 'dali.py'} must mark one pipeline with @autoserialize, has {len(marked)}."
            )
        self._define: Callable[[], Any] = functools.partial(
            marked[0], device="cpu", device_id=None, batch_size=batch_size, num_threads=threads, prefetch_queue_depth=1
        )
        self._pipeline = self._build()

    def _build(self) -> Any:
        pipeline = self._define()
        pipeline.build()
        return pipeline

    def __call__(self, encoded: Sequence[NDArray[np.uint8]]) -> list[Views | str]:
        """Decode and normalise up to `batch_size` images.

        Args:
            encoded: image files as uint8 [bytes], lengths may differ, trailing zeros are ignored.

        Returns:
            One entry per image, in order: a float32 [3, height, width] array per output, or why it cannot be decoded.
        """
        try:
            return list(self._run(encoded))
        except RuntimeError as error:
            self._pipeline = self._build()
            if len(encoded) == 1:
                return [_reason(error)]
        middle = len(encoded) // 2
        return self(encoded[:middle]) + self(encoded[middle:])

    def _run(self, encoded: Sequence[NDArray[np.uint8]]) -> list[Views]:
        self._pipeline.feed_input("encoded_image", list(encoded))
        with _silenced_stderr():  # DALI writes five lines of its own for each bad image
            outputs = self._pipeline.run()
        return [[np.array(output.at(i)) for output in outputs] for i in range(len(encoded))]


def _reason(error: RuntimeError) -> str:
    """What DALI says after `encountered:`, without its trace of the pipeline's source."""
    lines = [line.strip() for line in str(error).partition("encountered:")[2].splitlines()]
    return next((line for line in lines if line), "DALI gives no reason")


@contextlib.contextmanager
def _silenced_stderr() -> Iterator[None]:
    kept = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
