"""Latency against the rate at which photos come, the same rates for all systems."""

from collections.abc import Sequence
from typing import Any

from benchmarks.loads.offered import offer
from benchmarks.loads.samples import as_figures, failures, latency
from benchmarks.machine import say
from benchmarks.measures.fleet import Fleet

SHARES = (0.3, 0.6, 0.9)
"""Of our own capacity."""
_FEWEST = 25
_LONGEST = 4.0
"""Times the usual length, for a rate at which `_FEWEST` take long to come."""
_WARM_UP = 5
"""A first fifth finds empty queues, and is left out."""


def run(
    fleet: Fleet, photos: Sequence[bytes], capacity: float, rates: dict[str, float], seconds: float, grace_s: float
) -> dict[str, list[dict[str, Any]]]:
    """Every system at each rate, alternating; one that cannot keep up with a rate is not asked to.

    A photo that was refused or never answered counts as an infinite wait.

    Args:
        fleet: running systems.
        photos: in turn.
        capacity: ours, photos per second, of which `SHARES` are offered to all.
        rates: each system's own capacity.
        seconds: of each rate, at least; until some photos have come.
        grace_s: how long the last answers are waited for.
    """
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in fleet.running}
    for number, share in enumerate(SHARES):
        offered = share * capacity
        for name in fleet.names(backwards=number % 2 == 1):
            point: dict[str, Any] = {"share": share, "offered": offered}
            if offered > 0.97 * rates[name]:
                found[name].append({**point, "left_out": f"beyond its {rates[name]:.2f} photos/s"})
                continue
            lasting = max(seconds, min(_FEWEST / offered, _LONGEST * seconds))
            with fleet.turn(name) as running:
                samples = offer(running.target, photos, offered, lasting, grace_s).samples
            judged = samples[len(samples) // _WARM_UP :]
            found[name].append({**point, **as_figures(latency(judged, lost=True)), "failures": failures(judged)})
        told = [f"{name} {points[-1]['p95_ms']:.0f} ms" for name, points in found.items() if "p95_ms" in points[-1]]
        say(f"p95 at {offered:.2f} photos/s: {', '.join(told)}")
    return found
