"""How slowly an upload may arrive: any gets some time, and more as long as it keeps coming and the buffer has room."""

import asyncio
from collections.abc import Callable

from gateway.errors import Overloaded, Problem, ReceiveTimeout
from gateway.settings import Settings


class Pace:
    """What is demanded of every upload."""

    def __init__(self, settings: Settings) -> None:
        self.timeout_s = settings.receive_timeout_s
        self.stall_s = settings.receive_stall_s
        self.min_bytes_per_s = settings.receive_min_bytes_per_s


class Arrival:
    """Watches one upload from now until `end`, and lets `alarm` go off once it is given up; `problem` then says why.

    Args:
        is_crowded: whether others need the memory that it holds; its bytes then earn it no further time.
    """

    __slots__ = (
        "_alarm",
        "_is_crowded",
        "_last_at",
        "_look",
        "_loop",
        "_pace",
        "_received_bytes",
        "_started",
        "problem",
    )

    def __init__(self, pace: Pace, alarm: asyncio.Timeout, is_crowded: Callable[[], bool]) -> None:
        self._pace = pace
        self._alarm = alarm
        self._is_crowded = is_crowded
        self._loop = asyncio.get_running_loop()
        self._started = self._last_at = self._loop.time()
        self._received_bytes = 0
        self._look = self._loop.call_at(self._started + min(pace.timeout_s, pace.stall_s), self._judge)
        self.problem: Problem = ReceiveTimeout("The upload did not arrive in time. Try again.")

    def note(self, size: int) -> None:
        """So many bytes have come; costs next to nothing, since nobody looks before they have to."""
        self._received_bytes += size
        self._last_at = self._loop.time()

    def end(self) -> None:
        """Watch no longer."""
        self._look.cancel()

    def _judge(self) -> None:
        pace, crowded = self._pace, self._is_crowded()
        earned_s = 0.0 if crowded else self._received_bytes / pace.min_bytes_per_s
        stalled_at, late_at = self._last_at + pace.stall_s, self._started + pace.timeout_s + earned_s
        now = self._loop.time()
        if now < min(stalled_at, late_at):
            self._look = self._loop.call_at(min(stalled_at, late_at), self._judge)
            return
        if stalled_at <= now:
            self.problem = ReceiveTimeout(f"Nothing of the upload has come for {pace.stall_s:g} seconds. Try again.")
        elif crowded:
            self.problem = Overloaded("Too many uploads are arriving to wait for a slow one. Try again a little later.")
        else:
            self.problem = ReceiveTimeout(
                f"The upload did not arrive within {pace.timeout_s:g} seconds, and came slower than {pace.min_bytes_per_s} "
                "bytes a second. Try again, with fewer or smaller photos."
            )
        self._alarm.reschedule(now)
