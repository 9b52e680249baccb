"""The machine's cores, and how the engines of several processes share them."""

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

MAX_SHARES = 8
POLL_S = 0.002
_GIVING_BACK_S = 0.0002


def usable_cores() -> int:
    """Cores that this process may run on (respects affinity, and so containers that set it)."""
    return len(os.sched_getaffinity(0))


def share_count(cores: int) -> int:
    """Into how many equal shares the cores go without a rest: at most eight."""
    return max(count for count in range(1, MAX_SHARES + 1) if cores % count == 0)


class CoreShares:
    """The cores in equal shares, handed out to engines in several processes through file locks.

    Without it two members would compute at once with as many threads as cores each, and slow one another down.
    Whoever wants shares first waits for his turn, in the order of arrival (since 5.0 Linux wakes those who wait for a
    lock in that order), so that photos are seldom overtaken. One object per engine, since a lock belongs to an open file.
    """

    def __init__(self, folder: Path, cores: int) -> None:
        self.count = share_count(cores)
        self._turn = _open(folder, "turn")
        self._shares = [_open(folder, f"share-{share}") for share in range(self.count)]
        seats = range(self.count + 1)
        self._seats, self._looks = ([_open(folder, f"seat-{seat}") for seat in seats] for _ in range(2))
        self._held: set[int] = set()
        self._seated = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until it is one's turn to take shares; keep it until all that one needs are taken."""
        seat = next((file for file in self._seats if _try(file)), None)
        self._seated = seat is not None
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)
            if seat is not None:
                fcntl.flock(seat, fcntl.LOCK_UN)

    def take(self, wanted: int) -> list[int]:
        """Wait for a share, in one's turn; all of them where all are free and there is not other work for each.

        Args:
            wanted: how many more will be taken in the same turn.
        """
        while not (free := self._grab()):
            time.sleep(POLL_S)
        if wanted + 1 < self.count and wanted + self._others() < self.count:
            if len(free) < self.count:  # somebody may be giving them back just now, one after the other
                time.sleep(_GIVING_BACK_S)
                free += self._grab()
            if len(free) == self.count:
                return free
        self.give_back(free[1:])
        return free[:1]

    def give_back(self, shares: Sequence[int]) -> None:
        """Let others have them."""
        for share in shares:
            fcntl.flock(self._shares[share], fcntl.LOCK_UN)
            self._held.discard(share)  # last: a lock that one's own file holds would be given again

    def _grab(self) -> list[int]:
        free = [share for share in range(self.count) if share not in self._held and _try(self._shares[share])]
        self._held.update(free)
        return free

    def _others(self) -> int:
        """How many wait for their turn, of as many as have found a seat."""
        empty = [file for file in self._looks if _try(file)]
        for file in empty:
            fcntl.flock(file, fcntl.LOCK_UN)
        return len(self._looks) - len(empty) - self._seated


def _open(folder: Path, name: str) -> int:
    return os.open(folder / f"{name}.lock", os.O_CREAT | os.O_RDWR, 0o600)


def _try(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
