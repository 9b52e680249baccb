"""The machine's cores, and how the engines of several processes share them."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

MAX_SHARES = 8


def usable_cores() -> int:
    """Cores that this process may run on (respects affinity, and so containers that set it)."""
    return len(os.sched_getaffinity(0))


class CoreShares:
    """The cores in equal shares, handed out to engines in several processes through file locks.

    Without it two members would compute at once with as many threads as cores each, and slow one another down.
    """

    def __init__(self, folder: Path, cores: int) -> None:
        self.count = min(cores, MAX_SHARES)
        self._files = [os.open(folder / f"share-{i}.lock", os.O_CREAT | os.O_RDWR, 0o600) for i in range(self.count)]

    @contextlib.contextmanager
    def one(self, share: int) -> Iterator[None]:
        """Wait for one share."""
        fcntl.flock(self._files[share], fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._files[share], fcntl.LOCK_UN)

    @contextlib.contextmanager
    def all(self) -> Iterator[None]:
        """Wait for every share; always in the same order, so that two waiters cannot block each other."""
        with contextlib.ExitStack() as stack:
            for share in range(self.count):
                stack.enter_context(self.one(share))
            yield
