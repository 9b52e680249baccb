"""What clients saw, and the figures that come of it."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.targets import BUSY, NO_ANSWER, OK

TOO_MANY, GAVE_UP = 429, 504
FEWEST = {50: 1, 95: 20, 99: 100}
"""Answers that a percentile needs: of fewer it is no more than the largest."""


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

    @property
    def answered(self) -> bool:
        """Whether the photo itself was answered: by its classes or, where broken, by a refusal that is not for want of room."""
        return self.status == OK or (self.bad and self.status not in (NO_ANSWER, BUSY, TOO_MANY, GAVE_UP))


@dataclass(frozen=True)
class Latency:
    """Milliseconds; NaN where `photos` are too few for a percentile, infinite where so many were never answered."""

    photos: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


def latency(samples: Sequence[Sample], lost: bool = False) -> Latency:
    """Percentiles over the photos that were answered; with `lost`, the others count too, as an infinite wait.

    Without `lost`, a system that refuses what would be slow looks quick: right only where nobody is refused.
    """
    times = sorted(
        1000 * each.seconds if each.status == OK else math.inf for each in samples if lost or each.status == OK
    )
    return Latency(len(times), *(_percentile(times, q) for q in FEWEST))


def _percentile(times: Sequence[float], q: int) -> float:
    if len(times) < FEWEST[q]:
        return math.nan
    place = q / 100 * (len(times) - 1)
    before, after = times[math.floor(place)], times[math.ceil(place)]
    return after if math.isinf(after) else before + (after - before) * (place % 1)


def rate(done: Sequence[float], begin: float, end: float) -> float:
    """Answers per second: the slope of their number over time.

    A count over a window would gain or lose a whole batch at its edges, where answers come in batches. Where nothing
    came at an edge for much longer than ever between two answers, the system stalled, and the count tells so.
    """
    inside = sorted(moment for moment in done if begin <= moment <= end)
    counted = len(inside) / (end - begin)
    if len(inside) < 3:
        return counted
    edge = max(inside[0] - begin, end - inside[-1])
    if inside[-1] - inside[0] < (end - begin) / 2 or edge > 2 * float(np.diff(inside).max()):
        return counted
    return float(np.polyfit(inside, np.arange(len(inside)), 1)[0])


def failures(samples: Sequence[Sample]) -> int:
    """Good photos that got no answer."""
    return sum(not each.bad and each.status != OK for each in samples)


def refused(samples: Sequence[Sample], at_once_s: float) -> list[Sample]:
    """Photos sent away because there was too much work, within `at_once_s`."""
    return [each for each in samples if each.status in (BUSY, TOO_MANY) and each.seconds <= at_once_s]


def given_up(samples: Sequence[Sample], at_once_s: float) -> list[Sample]:
    """Photos sent away after they had waited: told so by 504, or as the refused are, but later."""
    return [
        each
        for each in samples
        if each.status == GAVE_UP or (each.status in (BUSY, TOO_MANY) and each.seconds > at_once_s)
    ]


def as_figures(measured: Latency) -> dict[str, float]:
    """For JSON."""
    return asdict(measured)
