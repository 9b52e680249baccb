"""Several worker processes on one socket: replaced when they die, ended together."""

import ctypes
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

import structlog

from gateway.listening import admit_no_more

log = structlog.get_logger()

START_FAILED = 3
"""Exit code of a worker that would fail the same way again; uvicorn's own where the lifespan fails to start."""

_LOOK_INTERVAL_S = 0.2
_REPLACE_INTERVAL_S = 1.0
_PR_SET_PDEATHSIG = 1


@dataclass
class _Worker:
    process: SpawnProcess
    started_at: float


class Supervisor:
    """Keeps `count` processes running `work(listener)`, each a fresh interpreter.

    Args:
        notice_s: how long they go on as before after the signal to end.
        patience_s: how long they then get to end by themselves.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[socket.socket], None],
        listener: socket.socket,
        notice_s: float,
        patience_s: float,
    ) -> None:
        self._count = count
        self._work = work
        self._listener = listener
        self._notice_s = notice_s
        self._patience_s = patience_s
        self._context = multiprocessing.get_context("spawn")  # threads and gRPC do not survive a fork
        self._stopping = False

    def run(self) -> int:
        """Return 0 once a signal has ended everything, or the exit code of a worker that cannot start."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        workers = [self._start() for _ in range(self._count)]
        code = 0
        while not self._stopping and not code:
            wait([worker.process.sentinel for worker in workers], timeout=_LOOK_INTERVAL_S)
            for place, worker in enumerate(workers):
                if worker.process.exitcode is None or self._stopping:
                    continue
                if worker.process.exitcode == START_FAILED:
                    log.error("worker cannot start", pid=worker.process.pid)
                    code = START_FAILED
                    break
                log.error("worker died", pid=worker.process.pid, exit_code=worker.process.exitcode)
                if worker.process.exitcode > 0 or time.monotonic() - worker.started_at < _REPLACE_INTERVAL_S:
                    time.sleep(_REPLACE_INTERVAL_S)  # it may die again at once
                workers[place] = self._start()
        self._end([worker.process for worker in workers])
        return code

    def _start(self) -> _Worker:
        process = self._context.Process(target=self._work, args=(self._listener,))
        process.start()
        log.info("worker started", pid=process.pid)
        return _Worker(process, time.monotonic())

    def _end(self, processes: list[SpawnProcess]) -> None:
        for process in processes:
            process.terminate()
        time.sleep(self._notice_s)
        admit_no_more(self._listener)
        self._listener.close()  # the workers hold it too: the last one to end closes it for good
        deadline = time.monotonic() + self._patience_s
        for process in processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.exitcode is None:
                log.error("worker killed, it did not end in time", pid=process.pid)
                process.kill()
                process.join()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True


def end_with_parent() -> None:
    """Have the kernel send this process SIGTERM when its parent ends, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # it has ended already
        sys.exit(0)
