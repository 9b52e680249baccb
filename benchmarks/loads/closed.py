"""Closed loop: clients that send their next photo when the last answer has come; their number grows and never shrinks."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.loads.samples import Sample, as_figures, failures, latency, rate
from benchmarks.targets import OK, Target

FEWEST = 16
"""Answers that a window waits for, up to `STRETCH` times its length: two or three say nothing."""
STRETCH = 2.5
_POLL_S = 0.01


class Clients:
    """Threads that ask one target, each on a connection of its own, with photos in turn."""

    def __init__(self, target: Target, photos: Sequence[tuple[bytes, bool]]) -> None:
        self.samples: list[Sample] = []
        self._target, self._photos = target, photos
        self._turn = itertools.count()
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    def grow(self, clients: int) -> None:
        """Add clients until there are so many."""
        while len(self._threads) < clients:
            thread = threading.Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Let each client get its last answer."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, answers: int, seconds: float) -> None:
        """Until so many samples more have come, or the time is over."""
        wanted, deadline = len(self.samples) + answers, time.perf_counter() + seconds
        while len(self.samples) < wanted and time.perf_counter() < deadline:
            time.sleep(_POLL_S)

    def _work(self) -> None:
        connection = self._target.connect()
        while not self._stopping.is_set():
            photo, bad = self._photos[next(self._turn) % len(self._photos)]
            start = time.perf_counter()
            status = connection.ask(photo).status
            self.samples.append(Sample(start, time.perf_counter(), status, bad))
            if status == 0:
                time.sleep(_POLL_S)  # nobody is there: do not spin
        connection.close()


@contextmanager
def clients(target: Target, photos: Sequence[bytes] | Sequence[tuple[bytes, bool]]) -> Iterator[Clients]:
    """Clients that have stopped, with their last answers, when the block ends."""
    pairs = [photo if isinstance(photo, tuple) else (photo, False) for photo in photos]
    these = Clients(target, pairs)
    try:
        yield these
    finally:
        these.stop()


@dataclass(frozen=True)
class Window:
    """One measurement; `samples` of what was answered inside, `cpu_s` what the system used meanwhile."""

    clients: int
    seconds: float
    photos_per_second: float
    samples: tuple[Sample, ...]
    cpu_s: float

    def figures(self) -> dict[str, Any]:
        """For JSON."""
        answered = sum(each.status == OK for each in self.samples)
        return {
            "clients": self.clients,
            "photos_per_second": self.photos_per_second,
            **as_figures(latency(self.samples)),
            "failures": failures(self.samples),
            "cpu_s_per_photo": self.cpu_s / answered if answered else float("nan"),
        }


def measure(these: Clients, count: int, seconds: float, patience_s: float, cpu_s: Callable[[], float]) -> Window:
    """Grow to `count` clients, let each have an answer under this load, then measure.

    Args:
        these: running clients, at most `count`.
        count: how many there are to be.
        seconds: at least; more until there are `FEWEST` answers.
        patience_s: how long the load may take to settle.
        cpu_s: processor time that the system has used so far.
    """
    these.grow(count)
    these.wait_for(count, patience_s)
    begin, cpu_begin, first = time.perf_counter(), cpu_s(), len(these.samples)
    time.sleep(seconds)
    these.wait_for(FEWEST - (len(these.samples) - first), (STRETCH - 1) * seconds)
    end, cpu_end = time.perf_counter(), cpu_s()
    inside = tuple(each for each in list(these.samples) if begin <= each.done <= end)
    answered = [each.done for each in inside if each.status == OK]
    return Window(count, end - begin, rate(answered, begin, end), inside, cpu_end - cpu_begin)
