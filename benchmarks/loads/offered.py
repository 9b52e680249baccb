"""Open loop: photos are due at moments that no answer can delay, as people send them.

Latency counts from the moment a photo was due. A generator that waits for a slow answer before it sends the next
photo would leave out just the photos that wait longest (coordinated omission).
"""

import queue
import random
import threading
import time
from collections.abc import Sequence

from benchmarks.loads.samples import Sample
from benchmarks.targets import NO_ANSWER, Target

MOST_CLIENTS = 400
"""Photos under way at once; what is due beyond that waits for a client, and its wait counts."""


def schedule(rate: float, seconds: float, seed: int = 11) -> list[float]:
    """Moments at which photos are due: independent senders (a Poisson process), the same for every system."""
    rng = random.Random(seed)
    moments: list[float] = []
    now = rng.expovariate(rate)
    while now < seconds:
        moments.append(now)
        now += rng.expovariate(rate)
    return moments


class _Senders:
    def __init__(self, target: Target, photos: Sequence[bytes]) -> None:
        self.samples: list[Sample] = []
        self._target, self._photos = target, photos
        self._due: queue.SimpleQueue[tuple[int, float] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)

    def send(self, number: int, due: float) -> None:
        if not self._idle.acquire(blocking=False) and len(self._threads) < MOST_CLIENTS:
            thread = threading.Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._due.put((number, due))

    def finish(self, deadline: float) -> None:
        for _ in self._threads:
            self._due.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.perf_counter()))

    def _work(self) -> None:
        connection = self._target.connect()
        while (job := self._due.get()) is not None:
            number, due = job
            status = connection.ask(self._photos[number % len(self._photos)]).status
            self.samples.append(Sample(due, time.perf_counter(), status))
            self._idle.release()
        connection.close()


def offer(target: Target, photos: Sequence[bytes], rate: float, seconds: float, grace_s: float) -> list[Sample]:
    """Send photos at `rate` a second for `seconds`.

    Args:
        target: asked, on as many connections as photos are under way.
        photos: in turn.
        rate: photos per second, on average.
        seconds: how long photos are due.
        grace_s: how long after that an answer is waited for.

    Returns:
        One sample a photo, by the moment it was due; status 0 where no answer came in time.
    """
    senders = _Senders(target, photos)
    start = time.perf_counter()
    moments = [start + moment for moment in schedule(rate, seconds)]
    for number, due in enumerate(moments):
        time.sleep(max(0.0, due - time.perf_counter()))
        senders.send(number, due)
    deadline = start + seconds + grace_s
    senders.finish(deadline)
    samples = list(senders.samples)
    answered = {each.due for each in samples}
    missing = [Sample(due, float("inf"), NO_ANSWER) for due in moments if due not in answered]
    return sorted([*samples, *missing], key=lambda each: each.due)
