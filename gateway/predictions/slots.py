"""How many photos may be in work at once; who comes when there is no room is told to come again."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import DeadlineExceeded, Overloaded, TritonUnavailable
from gateway.predictions.pace import Pace
from gateway.settings import Settings

_FULL = "Too many photos are in work. Try again in a second."
_FULL_OF_GROUPS = "Too many batches and diagnoses are in work. Try again in a second."

_SHARE = 0.75
"""Of `queue_timeout_s` that a photo is let wait for: the pace is known late, and photos differ in size."""


class Slots:
    """`max_in_flight` photos at once, of which batches and diagnoses together take half at most.

    Single photos are also let in no faster than they are answered (`Pace`).

    A batch or diagnosis takes the slots of `group_width` photos, however many it holds: so many are in work at once, the
    others wait inside the request. One batch therefore never fills what single photos need.
    """

    def __init__(self, settings: Settings) -> None:
        self.group_width = min(settings.group_in_flight, settings.max_in_flight)
        self._free = self._most = settings.max_in_flight
        self._pace = Pace(_SHARE * settings.queue_timeout_s)
        self._free_for_groups = max(self.group_width, settings.max_in_flight // 2)

    def require_one(self) -> None:
        """Refuse a photo before it is sent where there is no room now; a slow upload takes none away.

        Raises:
            Overloaded
        """
        if self._free < 1 or self._most - self._free >= self._pace.most_at_once:
            raise Overloaded(_FULL)

    def require_group(self) -> None:
        """The same for a batch or diagnosis.

        Raises:
            Overloaded
        """
        if self._free_for_groups < self.group_width:
            raise Overloaded(_FULL_OF_GROUPS)
        if self._free < self.group_width:
            raise Overloaded(_FULL)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Room for a single photo during the block.

        Raises:
            Overloaded
        """
        self.require_one()
        self._free -= 1
        in_work, started = self._most - self._free, time.monotonic()
        try:
            yield
            self._pace.answered(in_work, time.monotonic() - started)
        except (DeadlineExceeded, Overloaded, TritonUnavailable):
            self._pace.late()
            raise
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
        self._free_for_groups -= self.group_width
        try:
            yield
        finally:
            self._free_for_groups += self.group_width
            self._free += self.group_width
