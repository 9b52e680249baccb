"""Counts of rate limits in the memory of one process, bounded however many addresses ask.

`limits`' own memory looks through every count at each request, so that strangers with many addresses could slow it down.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import floor

from limits.aio.storage import SlidingWindowCounterSupport, Storage

_SWEEP_INTERVAL_S = 60.0


@dataclass(slots=True)
class _Counts:
    """Hits in window number `window` and in the one before; windows are `length_s` long."""

    length_s: int
    window: int
    previous: int = 0
    current: int = 0

    def roll(self, window: int) -> None:
        """Move on to `window`."""
        if window != self.window:
            self.previous = self.current if window == self.window + 1 else 0
            self.current = 0
            self.window = window


class WindowMemory(Storage, SlidingWindowCounterSupport):
    """Storage of `limits` for sliding windows; forgets what has expired, and the oldest when there are too many."""

    STORAGE_SCHEME = None

    def __init__(self, max_counts: int = 50_000, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._counts: dict[str, _Counts] = {}
        self._max_counts = max_counts
        self._sweep_at = clock() + _SWEEP_INTERVAL_S

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` hits unless that would exceed `limit` in `expiry` seconds."""
        previous, previous_ttl, current, _ = await self.get_sliding_window(key, expiry)
        if floor(previous * previous_ttl / expiry) + current + amount > limit:
            return False
        now = self._clock()
        if key not in self._counts:
            self._make_room(now)
            self._counts[key] = _Counts(expiry, int(now // expiry))
        self._counts[key].current += amount
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Hits in the previous window, seconds until they no longer count, hits in this window, and the same of them."""
        now = self._clock()
        left = expiry - now % expiry
        counts = self._counts.get(key)
        if counts is None:
            return 0, 0.0, 0, left + expiry
        counts.roll(int(now // expiry))
        return counts.previous, left, counts.current, left + expiry

    async def clear_sliding_window(self, key: str, expiry: int) -> None:  # noqa: ARG002
        """Forget one count."""
        self._counts.pop(key, None)

    async def clear(self, key: str) -> None:
        """Forget one count."""
        self._counts.pop(key, None)

    async def reset(self) -> int:
        """Forget every count; returns how many there were."""
        count = len(self._counts)
        self._counts.clear()
        return count

    async def get(self, key: str) -> int:
        """Hits in the window that was last counted in."""
        counts = self._counts.get(key)
        return counts.current if counts else 0

    async def check(self) -> bool:
        """Memory does not fail."""
        return True

    @property
    def base_exceptions(self) -> type[Exception]:
        """What counts as a failure of the storage."""
        return MemoryError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Fixed windows are not kept here."""
        raise NotImplementedError

    async def get_expiry(self, key: str) -> float:
        """Fixed windows are not kept here."""
        raise NotImplementedError

    def _make_room(self, now: float) -> None:
        full = len(self._counts) >= self._max_counts
        if not full and now < self._sweep_at:
            return
        self._sweep_at = now + _SWEEP_INTERVAL_S
        for key, counts in list(self._counts.items()):
            if int(now // counts.length_s) > counts.window + 1:
                del self._counts[key]
        if len(self._counts) >= self._max_counts:
            for key in list(self._counts)[: self._max_counts // 10]:  # insertion order: the longest known
                del self._counts[key]
