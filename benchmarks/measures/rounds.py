"""Throughput, latency and processor time under the same number of clients, in rounds of alternating order."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.loads import closed
from benchmarks.machine import say
from benchmarks.measures.fleet import Fleet
from benchmarks.systems.catalog import BARE


def run(
    fleet: Fleet,
    photos: Sequence[bytes],
    clients: int,
    rounds: int,
    seconds: float,
    patience_s: float,
    bare: Callable[[], dict[str, float]] | None,
) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, float]]]:
    """Every system once a round, in the opposite order each second time.

    Returns:
        The figures of each system's rounds by its name, and photos per second of the bare engines by way.
    """
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in fleet.running}
    limits: list[dict[str, float]] = []
    for number in range(rounds):
        order = [*fleet.names()[:1], *([BARE] if bare else []), *fleet.names()[1:]]
        for name in order if number % 2 == 0 else reversed(order):
            if name == BARE:
                assert bare is not None
                limits.append(bare())
                say(f"round {number + 1}: bare engines " + ", ".join(f"{k} {v:.2f}/s" for k, v in limits[-1].items()))
                continue
            with fleet.turn(name) as running, closed.clients(running.target, photos) as these:
                window = closed.measure(these, clients, seconds, patience_s, running.cpu_s)
            found[name].append(window.figures())
            say(f"round {number + 1}: {name} {window.photos_per_second:.2f}/s")
    return found, limits
