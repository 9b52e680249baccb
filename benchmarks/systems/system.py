"""What every system has in common."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accounting import cpu_s, memory_mib, tree
from benchmarks.systems.release import Release
from benchmarks.targets import Target

QUEUE_SHARE, INFER_SHARE, WHOLE_SHARE = 0.6, 0.8, 0.96
"""Of a deadline of 5 s: the gateway's defaults of `queue_timeout_s`, `infer_timeout_s` and `request_deadline_s`."""


@dataclass(frozen=True)
class Setup:
    """What all are started with.

    `deadline_s` None: everything waits, so that throughput is measured and not patience. Else it is what a client
    waits at most, and each system is set to refuse or give up by its own means, for which it may know its `capacity`,
    photos per second.
    """

    repository: Path
    release: Release
    scratch: Path
    deadline_s: float | None = None
    capacity: float | None = None
    trace: Path | None = None

    @property
    def queue_s(self) -> float:
        """How long a photo may wait before it is computed: the gateway's share of the deadline, for all."""
        return QUEUE_SHARE * (self.timeout_s if self.deadline_s is None else self.deadline_s)

    @property
    def whole_s(self) -> float:
        """How long a photo may take in all, where a system bounds that."""
        return self.timeout_s if self.deadline_s is None else WHOLE_SHARE * self.deadline_s

    @property
    def admitted(self) -> int | None:
        """Photos that may be inside at once: so many as are answered while the last of them waits `queue_s`."""
        if self.deadline_s is None or self.capacity is None:
            return None
        return max(1, round(self.capacity * self.queue_s))

    @property
    def timeout_s(self) -> float:
        """How long a client waits for an answer; beyond the deadline, to see what comes too late."""
        return 180.0 if self.deadline_s is None else 3 * self.deadline_s


@dataclass(frozen=True)
class Running:
    """A started system; `grpc_port` where it has a Triton."""

    target: Target
    pids: tuple[int, ...]
    grpc_port: int | None = None

    def cpu_s(self) -> float:
        """Processor time so far, seconds, of all its processes."""
        return cpu_s(tree(self.pids))

    def memory_mib(self) -> dict[str, float]:
        """Now, of all its processes."""
        return memory_mib(tree(self.pids))


@dataclass(frozen=True)
class System:
    """`name` on the command line, `label` in the report, `about` how it is set up."""

    name: str
    label: str
    about: str
    start: Callable[[Setup], AbstractContextManager[Running]]
