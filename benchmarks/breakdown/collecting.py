"""Asks ours while Triton traces, and keeps what each reply says of its own time."""

import itertools
import threading
import time
from collections.abc import Sequence

from benchmarks.breakdown.stages import Answered
from benchmarks.systems.system import Running
from benchmarks.targets import OK


def collect(running: Running, photos: Sequence[bytes], clients: int, seconds: float) -> list[Answered]:
    """Closed loop of `clients`; the first answers of each, which find no load yet, are left out."""
    answers: list[Answered] = []
    turn = itertools.count()
    end = time.perf_counter() + seconds

    def work() -> None:
        connection = running.target.connect()
        for number in itertools.count():
            start = time.perf_counter()
            if start > end:
                break
            reply = connection.ask(photos[next(turn) % len(photos)])
            if number and reply.status == OK:
                total_ms = 1000 * (time.perf_counter() - start)
                answers.append(Answered(reply.body["request_id"], total_ms, reply.body["timings_ms"]))
        connection.close()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
