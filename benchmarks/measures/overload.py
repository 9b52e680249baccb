"""Twice the photos that a system can answer: how many it answers in time, and what it tells the others."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.loads import closed
from benchmarks.loads.offered import offer
from benchmarks.loads.samples import Sample, given_up, refused
from benchmarks.machine import say
from benchmarks.systems.system import Running
from benchmarks.targets import OK

TIMES = 2.0
FEWEST = 60
"""Photos that are judged, if they come within `_LONGEST_S`."""
_LONGEST_S = 30.0
_AT_ONCE = 0.2
"""Of the deadline: a photo that is refused later than that has waited in vain, whatever it is told."""
_WARM_UP = 2
"""Answers of each client."""


def judge(samples: Sequence[Sample], begin: float, end: float, deadline_s: float, capacity: float) -> dict[str, Any]:
    """Figures of the photos due in a span of time: shares of all that were due, and of the capacity.

    `within_capacity` is what was answered in time, in shares of what the system can answer at all.
    """
    inside = [each for each in samples if begin <= each.due < end]
    in_time = sum(each.status == OK and each.seconds <= deadline_s for each in inside)
    late = sum(each.status == OK and each.seconds > deadline_s for each in inside)
    at_once_s = _AT_ONCE * deadline_s
    turned_away, gave_up = refused(inside, at_once_s), given_up(inside, at_once_s)
    count = max(1, len(inside))
    return {
        "photos": len(inside),
        "in_time": in_time / count,
        "late": late / count,
        "refused": len(turned_away) / count,
        "given_up": len(gave_up) / count,
        "failed": (len(inside) - in_time - late - len(turned_away) - len(gave_up)) / count,
        "statuses": {str(status): count for status, count in sorted(Counter(each.status for each in inside).items())},
        "offered": len(inside) / (end - begin),
        "capacity": capacity,
        "within_capacity": in_time / (end - begin) / capacity,
        "refused_after_ms": _median_ms(turned_away),
    }


def _median_ms(samples: Sequence[Sample]) -> float | None:
    times = sorted(1000 * each.seconds for each in samples)
    return times[len(times) // 2] if times else None


def run(
    name: str,
    running: Running,
    photos: Sequence[bytes],
    capacity: float,
    clients: int,
    seconds: float,
    patience_s: float,
    deadline_s: float,
) -> dict[str, Any]:
    """Warm up with `clients` that wait, offer `TIMES` the capacity, and judge once the queues are full.

    They are when the first deadline is over.
    """
    with closed.clients(running.target, photos) as these:
        these.grow(clients)
        these.settle(_WARM_UP, patience_s, all_photos=True)
    lasting = deadline_s + min(max(seconds, FEWEST / (TIMES * capacity)), _LONGEST_S)
    offered = offer(running.target, photos, TIMES * capacity, lasting, 3 * deadline_s)
    figures = judge(offered.samples, offered.start + deadline_s, offered.start + lasting, deadline_s, capacity)
    say(
        f"{name} at {figures['offered']:.1f} photos/s: {figures['within_capacity']:.0%} of its capacity in time, "
        f"{figures['refused']:.0%} refused, {figures['given_up']:.0%} given up, {figures['late']:.0%} late, "
        f"{figures['failed']:.0%} failed"
    )
    return {"deadline_s": deadline_s, **figures}
