"""How many photos may be in work at once; who comes when there is no room is told to come again."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.errors import ClientGone, DeadlineExceeded, Overloaded, TritonQueueFull, TritonUnavailable
from gateway.predictions.concurrency import LEAST, ConcurrencyLimit
from gateway.settings import Settings

_FULL = "Too many photos are in work. Try again in a second."
_FULL_OF_GROUPS = "Too many batches and diagnoses are in work. Try again in a second."
_SLOW = "More photos are waiting than can be answered in time. Try again in a second."

_SHARE = 0.75
"""Of `queue_timeout_s` that a photo is let wait for: it is known late that they are answered less quickly."""


class Slots:
    """`max_in_flight` photos at once, of which batches and diagnoses together take half at most.

    A batch or diagnosis takes the slots of `group_width` photos, however many it holds: so many are in work at once, the
    others wait inside the request. One batch therefore never fills what single photos need.
    Where photos are answered so slowly that fewer must be in work, the same holds for that lower limit, but that one
    group always gets in, with one photo at a time if need be.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.group_width = min(settings.group_in_flight, settings.max_in_flight)
        self._free = self._most = settings.max_in_flight
        self._for_groups = max(self.group_width, settings.max_in_flight // 2)
        self._of_groups = 0
        self._clock = clock
        least = math.ceil(LEAST / settings.workers)
        self._limit = ConcurrencyLimit(_SHARE * settings.queue_timeout_s, least, clock)
        self.photos = 0
        """Photos in work."""

    @property
    def most_photos(self) -> int:
        """Photos in work beyond which the next one is refused."""
        return int(min(self._most, self._limit.most))

    @property
    def photos_of_a_group(self) -> int:
        """How many photos of one batch or diagnosis may be in work at once."""
        return int(max(1, min(self.group_width, self._limit.most / 2)))

    def require_one(self) -> None:
        """Refuse a photo before it is sent where there is no room now; a slow upload takes none away.

        Raises:
            Overloaded
        """
        if self._free < 1:
            raise Overloaded(_FULL)
        if self.photos >= self.most_photos:
            raise Overloaded(_SLOW)

    def require_group(self) -> None:
        """The same for a batch or diagnosis.

        Raises:
            Overloaded
        """
        slots = self._of_groups + self.group_width
        if slots > self._for_groups:
            raise Overloaded(_FULL_OF_GROUPS)
        if self._free < self.group_width:
            raise Overloaded(_FULL)
        if self._of_groups and slots > self._limit.most / 2:
            raise Overloaded(_SLOW)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Room for a single photo during the block.

        Raises:
            Overloaded
        """
        self.require_one()
        self._free -= 1
        try:
            with self.photo():
                yield
        finally:
            self._free += 1

    @contextmanager
    def group(self) -> Iterator[None]:
        """Room for a batch or a diagnosis during the block.

        Raises:
            Overloaded
        """
        self.require_group()
        self._free -= self.group_width
        self._of_groups += self.group_width
        try:
            yield
        finally:
            self._of_groups -= self.group_width
            self._free += self.group_width

    @contextmanager
    def photo(self) -> Iterator[None]:
        """One photo is in work during the block; how long that takes is noted."""
        self.photos += 1
        told = self.photos, self._clock()
        try:
            yield
            self._limit.answered(*told)
        except (DeadlineExceeded, TritonQueueFull, TimeoutError):
            self._limit.failed(*told)
            raise
        except TritonUnavailable as problem:
            if isinstance(problem.__cause__, DeadlineExceeded):
                self._limit.failed(*told)
            raise
        except (ClientGone, asyncio.CancelledError):
            self._limit.left(*told)
            raise
        finally:
            self.photos -= 1
