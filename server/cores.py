"""The machine's cores, and how the engines of several processes share them."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

MAX_SHARES = 8
POLL_S = 0.002


def usable_cores() -> int:
    """Cores that this process may run on (respects affinity, and so containers that set it)."""
    return len(os.sched_getaffinity(0))


def share_count(cores: int) -> int:
    """Into how many equal shares the cores go without a rest: at most eight."""
    return max(count for count in range(1, MAX_SHARES + 1) if cores % count == 0)


class CoreShares:
    """The cores in equal shares, handed out to engines in several processes through file locks.

    Without it two members would compute at once with as many threads as cores each, and slow one another down.
    One object per engine: a lock belongs to the open file, so two users of one object would not exclude each other.
    """

    def __init__(self, folder: Path, cores: int) -> None:
        self.count = share_count(cores)
        self._single = [self._open(folder, share) for share in range(self.count)]
        self._together = [self._open(folder, share) for share in range(self.count)]

    @staticmethod
    def _open(folder: Path, share: int) -> int:
        return os.open(folder / f"share-{share}.lock", os.O_CREAT | os.O_RDWR, 0o600)

    @contextlib.contextmanager
    def one(self, share: int) -> Iterator[None]:
        """Wait for one share; one thread per share."""
        fcntl.flock(self._single[share], fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._single[share], fcntl.LOCK_UN)

    @contextlib.contextmanager
    def all(self, seconds: float) -> Iterator[bool]:
        """Try for a while to get every share at once, holding none meanwhile; whether that succeeded."""
        deadline = time.monotonic() + seconds
        while not (held := self._try_all()) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        try:
            yield held
        finally:
            if held:
                self._release(self._together)

    def _try_all(self) -> bool:
        for number, file in enumerate(self._together):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._release(self._together[:number])
                return False
        return True

    @staticmethod
    def _release(files: list[int]) -> None:
        for file in files:
            fcntl.flock(file, fcntl.LOCK_UN)
