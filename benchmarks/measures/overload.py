"""Twice the photos that a system can answer: how many it answers in time, and what it tells the others."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.loads.offered import offer
from benchmarks.loads.samples import Sample, refused
from benchmarks.machine import say
from benchmarks.measures.answers import ask_all
from benchmarks.systems.system import Running
from benchmarks.targets import OK

TIMES = 2.0
_WARM_UP = 4


def judge(samples: Sequence[Sample], begin: float, end: float, deadline_s: float, capacity: float) -> dict[str, Any]:
    """Figures of the photos due in a span of time: shares of all that were due, and of the capacity.

    `within_capacity` is what was answered in time, in shares of what the system can answer at all.
    """
    inside = [each for each in samples if begin <= each.due < end]
    in_time = sum(each.status == OK and each.seconds <= deadline_s for each in inside)
    late = sum(each.status == OK and each.seconds > deadline_s for each in inside)
    turned_away = refused(inside)
    count = max(1, len(inside))
    return {
        "photos": len(inside),
        "in_time": in_time / count,
        "late": late / count,
        "refused": turned_away / count,
        "failed": (len(inside) - in_time - late - turned_away) / count,
        "statuses": {str(status): count for status, count in sorted(Counter(each.status for each in inside).items())},
        "within_capacity": in_time / (end - begin) / capacity,
        "refused_after_ms": _median_ms([each for each in inside if refused([each])]),
    }


def _median_ms(samples: Sequence[Sample]) -> float | None:
    times = sorted(1000 * each.seconds for each in samples)
    return times[len(times) // 2] if times else None


def run(
    name: str, running: Running, photos: Sequence[bytes], capacity: float, seconds: float, deadline_s: float
) -> dict[str, Any]:
    """Offer `TIMES` the capacity, and judge once the queues are full: after the first deadline."""
    ask_all(running.target, [photos[0]] * _WARM_UP)
    lasting = deadline_s + max(seconds, 2 * deadline_s)
    samples = offer(running.target, photos, TIMES * capacity, lasting, 3 * deadline_s)
    first = samples[0].due
    figures = judge(samples, first + deadline_s, first + lasting, deadline_s, capacity)
    say(
        f"{name} at {TIMES * capacity:.1f} photos/s: {figures['within_capacity']:.0%} of its capacity in time, "
        f"{figures['refused']:.0%} refused, {figures['late']:.0%} late, {figures['failed']:.0%} failed"
    )
    return {"offered": TIMES * capacity, "deadline_s": deadline_s, **figures}
