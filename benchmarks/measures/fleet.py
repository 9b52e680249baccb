"""All systems of a run, started once and side by side; idle ones cost nothing but memory, which is shown."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks.machine import say
from benchmarks.systems.system import Running, Setup, System

_IDLE_S = 2.0


@dataclass
class Fleet:
    """Started systems by name; `facts` what starting them told."""

    systems: dict[str, System]
    running: dict[str, Running] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def names(self, backwards: bool = False) -> list[str]:
        """In order, or in the opposite one."""
        return list(reversed(self.running)) if backwards else list(self.running)


def start(systems: Sequence[System], setup: Setup, first_photo: bytes, stack: ExitStack) -> Fleet:
    """Start one after the other, each timed until it has answered a photo."""
    fleet = Fleet({system.name: system for system in systems})
    for system in systems:
        began = time.perf_counter()
        running = stack.enter_context(system.start(setup))
        connection = running.target.connect()
        # a RuntimeError here says what it answered instead
        _ = connection.ask(first_photo).probabilities
        connection.close()
        seconds = time.perf_counter() - began
        fleet.running[system.name] = running
        fleet.facts[system.name] = {"label": system.label, "about": system.about, "first_answer_s": seconds}
        say(f"{system.label}: first answer {seconds:.1f} s after its start")
    before = {name: running.cpu_s() for name, running in fleet.running.items()}
    time.sleep(_IDLE_S)
    for name, running in fleet.running.items():
        fleet.facts[name]["idle_cores"] = (running.cpu_s() - before[name]) / _IDLE_S
    return fleet
