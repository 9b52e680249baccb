"""How long something takes on this machine, measured briefly: for a report, not for a benchmark."""

import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

BATCHES = (1, 2, 4, 8)
SECONDS = 1.0
"""Of repeats of each batch size."""
A_SECOND = 5
"""Most repeats for each of them."""
PROCESSOR = Path("/proc/cpuinfo")


def by_batch(call: Callable[[int], object], seconds: float) -> dict[str, dict[str, Any]]:
    """`milliseconds` of a call by the number of photos it is given; nothing is called for no seconds."""
    return {str(count): milliseconds(partial(call, count), seconds) for count in BATCHES} if seconds else {}


def milliseconds(call: Callable[[], object], seconds: float = SECONDS) -> dict[str, Any]:
    """Median, least and most of a few calls; of one alone that takes longer than `seconds`."""
    times: list[float] = []
    while not times or (len(times) < A_SECOND * seconds and sum(times) < seconds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    least, median, most = (round(1000 * f(times), 2) for f in (min, statistics.median, max))
    return {"median": median, "least": least, "most": most, "repeats": len(times)}


def machine() -> dict[str, Any]:
    """The processor's name and how many of its cores this process may use."""
    named = [line.partition(":")[2].strip() for line in _processor() if line.startswith("model name")]
    return {"processor": named[0] if named else os.uname().machine, "cores": len(os.sched_getaffinity(0))}


def _processor() -> list[str]:
    return PROCESSOR.read_text(encoding="utf-8").splitlines() if PROCESSOR.is_file() else []
