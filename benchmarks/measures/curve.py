"""Throughput and latency against the number of clients, each load settled before it is measured."""

from collections.abc import Sequence
from typing import Any

from benchmarks.loads import closed
from benchmarks.machine import say
from benchmarks.measures.fleet import Fleet


def run(
    fleet: Fleet,
    photos: Sequence[bytes],
    levels: Sequence[int],
    rates: dict[str, float],
    seconds: float,
    patience_s: float,
) -> dict[str, list[dict[str, Any]]]:
    """One window a level and system; a level is left out where a photo would wait longer than `patience_s` by itself.

    Args:
        fleet: running systems.
        photos: in turn.
        levels: clients, ascending.
        rates: photos per second of each system, from the rounds: what says how long a level takes to settle.
        seconds: of a window, at least.
        patience_s: most that one level may take to settle.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for name in fleet.names():
        points: list[dict[str, Any]] = []
        with fleet.turn(name) as running, closed.clients(running.target, photos) as these:
            for level in levels:
                if level > rates[name] * patience_s:
                    points.append({"clients": level, "left_out": f"a photo would wait {level / rates[name]:.0f} s"})
                    continue
                points.append(closed.measure(these, level, seconds, patience_s, running.cpu_s).figures())
        found[name] = points
        told = [f"{p['clients']}: {p['photos_per_second']:.2f}/s" for p in points if "left_out" not in p]
        say(f"{name} by clients: {', '.join(told)}")
    return found
