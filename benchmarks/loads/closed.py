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

FEWEST = 20
"""Answers that a window waits for, up to `STRETCH` times its length: a p95 needs as many."""
STRETCH = 2.5
_POLL_S = 0.01
_PAUSE_S = 0.1
"""Of a client that was refused or not heard: who comes again at once takes the machine from those who are answered."""


class Clients:
    """Threads that ask one target, each on a connection of its own, with photos in turn; they pause where one is not answered."""

    def __init__(self, target: Target, photos: Sequence[tuple[bytes, bool]]) -> None:
        self.samples: list[Sample] = []
        self._answers: list[int] = []  # of each client
        self._seen: set[int] = set()  # photos that were answered
        self._target, self._photos = target, photos
        self._turn = itertools.count()
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    def grow(self, clients: int) -> None:
        """Add clients until there are so many."""
        while len(self._threads) < clients:
            thread = threading.Thread(target=self._work, args=(len(self._threads),), daemon=True)
            self._answers.append(0)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Let each client get its last answer."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    @property
    def answers(self) -> int:
        """Photos answered so far; a refusal for want of room is no answer."""
        return sum(self._answers)

    def wait_for(self, answers: int, seconds: float) -> None:
        """Until there are so many answers in all, or the time is over."""
        _until(lambda: self.answers >= answers, seconds)

    def settle(self, each: int, seconds: float, all_photos: bool = False) -> None:
        """Until every client has had `each` answers more and, if wanted, every photo was answered; or the time is over."""
        wanted = [answers + each for answers in self._answers]
        _until(
            lambda: (
                all(now >= least for now, least in zip(self._answers, wanted, strict=True))
                and (not all_photos or len(self._seen) == len(self._photos))
            ),
            seconds,
        )

    def _work(self, client: int) -> None:
        connection = self._target.connect()
        while not self._stopping.is_set():
            number = next(self._turn) % len(self._photos)
            photo, bad = self._photos[number]
            start = time.perf_counter()
            status = connection.ask(photo).status
            sample = Sample(start, time.perf_counter(), status, bad)
            self.samples.append(sample)
            if sample.answered:
                self._answers[client] += 1
                self._seen.add(number)
            else:
                self._stopping.wait(_PAUSE_S)
        connection.close()


def _until(reached: Callable[[], bool], seconds: float) -> None:
    deadline = time.perf_counter() + seconds
    while not reached() and time.perf_counter() < deadline:
        time.sleep(_POLL_S)


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
        # what is answered right after the window was computed inside, and the other way round: the rate is fairer than a count
        answered = self.photos_per_second * self.seconds
        return {
            "clients": self.clients,
            "photos_per_second": self.photos_per_second,
            **as_figures(latency(self.samples)),
            "failures": failures(self.samples),
            "cpu_s_per_photo": self.cpu_s / answered if answered else float("nan"),
        }


def measure(
    these: Clients, count: int, seconds: float, patience_s: float, cpu_s: Callable[[], float], fewest: int = FEWEST
) -> Window:
    """Grow to `count` clients, let each have an answer under this load, then measure.

    Args:
        these: running clients, at most `count`.
        count: how many there are to be.
        seconds: at least; more until there are `fewest` answers, up to `STRETCH` times as long for each `FEWEST` of them.
        patience_s: how long the load may take to settle.
        cpu_s: processor time that the system has used so far.
        fewest: answers that are wanted.
    """
    these.grow(count)
    these.settle(1, patience_s)
    begin, cpu_begin, first = time.perf_counter(), cpu_s(), these.answers
    time.sleep(seconds)
    these.wait_for(first + fewest, (STRETCH * fewest / FEWEST - 1) * seconds)
    end, cpu_end = time.perf_counter(), cpu_s()
    inside = tuple(each for each in list(these.samples) if begin <= each.done <= end)
    answered = [each.done for each in inside if each.status == OK]
    return Window(count, end - begin, rate(answered, begin, end), inside, cpu_end - cpu_begin)
