"""All systems of a run, started once and side by side; one that is busy while idle is frozen until its turn comes."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from benchmarks.accounting import tree
from benchmarks.machine import say
from benchmarks.systems.system import Running, Setup, System

_IDLE_S = 2.0
_BUSY_CORES = 0.03
"""More than this and a waiting system would slow the one that is measured: LitServe's workers poll."""


@dataclass
class Fleet:
    """Started systems by name; `facts` what starting them told."""

    systems: dict[str, System]
    running: dict[str, Running] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)

    @contextmanager
    def turn(self, name: str) -> Iterator[Running]:
        """The system, awake during the block."""
        running = self.running[name]
        if name not in self.frozen:
            yield running
            return
        send(running, signal.SIGCONT)
        try:
            yield running
        finally:
            send(running, signal.SIGSTOP)

    def names(self, backwards: bool = False) -> list[str]:
        """In order, or in the opposite one."""
        return list(reversed(self.running)) if backwards else list(self.running)


def send(running: Running, number: int) -> None:
    """A signal to each of the system's processes."""
    for pid in tree(running.pids):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


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
    for name, running in fleet.running.items():
        if fleet.facts[name]["idle_cores"] > _BUSY_CORES:
            fleet.frozen.add(name)
            stack.callback(send, running, signal.SIGCONT)  # it could not hear that it is to end
            send(running, signal.SIGSTOP)
    return fleet
