"""Open loop: photos are due at moments that no answer can delay, as people send them.

Latency counts from the moment a photo was due. A generator that waits for a slow answer before it sends the next
photo would leave out just the photos that wait longest (coordinated omission).
"""

import queue
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.loads.samples import Sample
from benchmarks.targets import NO_ANSWER, Target

MOST_CLIENTS = 400
"""Photos under way at once; what is due beyond that waits for a client, and its wait counts."""


def schedule(rate: float, seconds: float, seed: int = 11) -> list[float]:
    """Moments at which photos are due, the same for every system.

    Independent senders (a Poisson process), given how many come: as many as the rate says, at moments drawn evenly.
    """
    rng = random.Random(seed)
    return sorted(rng.uniform(0, seconds) for _ in range(max(1, round(rate * seconds))))


@dataclass(frozen=True)
class Offered:
    """One sample a photo, by the moment it was due; `start` is when the first could have been."""

    start: float
    samples: list[Sample]


class _Senders:
    """Threads that end with the measurement: no question outlives `deadline`."""

    def __init__(self, target: Target, photos: Sequence[bytes], deadline: float) -> None:
        self.samples: list[Sample] = []
        self._target, self._photos, self._deadline = target, photos, deadline
        self._due: queue.SimpleQueue[tuple[int, float] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)

    def send(self, number: int, due: float) -> None:
        if not self._idle.acquire(blocking=False) and len(self._threads) < MOST_CLIENTS:
            thread = threading.Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._due.put((number, due))

    def finish(self) -> None:
        for _ in self._threads:
            self._due.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        connection = self._target.connect()
        while (job := self._due.get()) is not None:
            number, due = job
            within = self._deadline - time.perf_counter()
            if within > 0:  # else only empty the queue
                status = connection.ask(self._photos[number % len(self._photos)], within).status
                self.samples.append(Sample(due, time.perf_counter(), status))
            self._idle.release()
        connection.close()


def offer(target: Target, photos: Sequence[bytes], rate: float, seconds: float, grace_s: float) -> Offered:
    """Send photos at `rate` a second for `seconds`.

    Args:
        target: asked, on as many connections as photos are under way.
        photos: in turn.
        rate: photos per second.
        seconds: how long photos are due.
        grace_s: how long after that an answer is waited for.

    Returns:
        Samples, with status 0 and no end where no answer came in time.
    """
    start = time.perf_counter()
    senders = _Senders(target, photos, start + seconds + grace_s)
    moments = [start + moment for moment in schedule(rate, seconds)]
    for number, due in enumerate(moments):
        time.sleep(max(0.0, due - time.perf_counter()))
        senders.send(number, due)
    senders.finish()
    answered = {each.due: each for each in senders.samples if each.status != NO_ANSWER}
    return Offered(start, [answered.get(due, Sample(due, float("inf"), NO_ANSWER)) for due in moments])
