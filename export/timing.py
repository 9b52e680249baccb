"""How long something takes on this machine, measured briefly: for a report, not for a benchmark."""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BATCHES = (1, 2, 4, 8)
FEWEST, MOST = 2, 5
SECONDS = 1.5
"""No further repeat after these."""
PROCESSOR = Path("/proc/cpuinfo")


def milliseconds(call: Callable[[], object]) -> dict[str, Any]:
    """Median, least and most of a few calls."""
    times: list[float] = []
    while len(times) < FEWEST or (len(times) < MOST and sum(times) < SECONDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    least, median, most = (round(1000 * f(times), 1) for f in (min, statistics.median, max))
    return {"median": median, "least": least, "most": most, "repeats": len(times)}


def machine() -> dict[str, Any]:
    """The processor's name and how many of its cores this process may use."""
    named = [line.partition(":")[2].strip() for line in _processor() if line.startswith("model name")]
    return {"processor": named[0] if named else os.uname().machine, "cores": len(os.sched_getaffinity(0))}


def _processor() -> list[str]:
    return PROCESSOR.read_text(encoding="utf-8").splitlines() if PROCESSOR.is_file() else []
