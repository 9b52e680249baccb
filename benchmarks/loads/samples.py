"""What clients saw, and the figures that come of it."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.targets import BUSY, OK

TOO_MANY = 429


@dataclass(frozen=True)
class Sample:
    """One photo: when it was due and when answered (seconds of one clock), with which status, whether it was broken."""

    due: float
    done: float
    status: int
    bad: bool = False

    @property
    def seconds(self) -> float:
        """From the moment it was due: what its sender waited, however late the generator itself was."""
        return self.done - self.due


@dataclass(frozen=True)
class Latency:
    """Of answered photos, milliseconds; with few `photos` the upper ones are no more than the largest."""

    photos: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


def latency(samples: Sequence[Sample]) -> Latency:
    """Percentiles over the good photos that were answered; NaN where there was none."""
    times = sorted(1000 * each.seconds for each in samples if each.status == OK)
    if not times:
        return Latency(0, *3 * [float("nan")])
    return Latency(len(times), *(float(np.percentile(times, q)) for q in (50, 95, 99)))


def rate(done: Sequence[float], begin: float, end: float) -> float:
    """Answers per second: the slope of their number over time.

    A count over a window would gain or lose a whole batch at its edges, where answers come in batches.
    """
    inside = sorted(moment for moment in done if begin <= moment <= end)
    if len(inside) < 3 or inside[-1] - inside[0] < (end - begin) / 2:
        return len(inside) / (end - begin)
    return float(np.polyfit(inside, np.arange(len(inside)), 1)[0])


def failures(samples: Sequence[Sample]) -> int:
    """Good photos that got no answer."""
    return sum(not each.bad and each.status != OK for each in samples)


def refused(samples: Sequence[Sample]) -> int:
    """Photos sent away because there was too much work."""
    return sum(each.status in (BUSY, TOO_MANY) for each in samples)


def as_figures(measured: Latency) -> dict[str, float]:
    """For JSON."""
    return asdict(measured)


def median_ratio(mine: Sequence[float], others: Sequence[float]) -> tuple[float, float, float]:
    """Median, lowest and highest of the rounds' own ratios."""
    ratios = [a / b for a, b in zip(mine, others, strict=True) if b > 0]
    if not ratios:
        return 3 * (float("nan"),)
    return statistics.median(ratios), min(ratios), max(ratios)
