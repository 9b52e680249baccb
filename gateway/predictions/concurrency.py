"""How many photos may be in work at once so that each is answered in time: an adaptive concurrency limit.

Whoever would wait too long is better told at once: queued, he would take the time of others and then go away unanswered,
until nobody is answered in time any more (goodput collapse, "Addressing Cascading Failures" in Google's SRE book).
By Little's law a photo that found n in work and took t seconds says that one is answered every t / n seconds, so that as
many may be in work as go into the patience.
"""

import math
import time
from collections.abc import Callable

LEAST = 4
"""Photos that the processes of a gateway together always let in, at least one each: a way back up after something slow."""
_WEIGHT = 0.1
_PRESSING = 1 / 3
_FORGET_S = 60.0


class ConcurrencyLimit:
    """Learns from photos that came beside others, most from those that waited long; nothing is limited until some did.

    Args:
        patience_s: how long a photo may wait for its answer.
        least: the limit is never lower.
        clock: seconds.
    """

    def __init__(self, patience_s: float, least: int = LEAST, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience_s, self._least, self._clock = patience_s, least, clock
        self._seconds_each: float | None = None
        self._pressed_at = -math.inf

    @property
    def most(self) -> float:
        """Photos in work beyond which the next one would wait too long.

        Infinite if none waited for a third of the patience within the last minute.
        """
        if self._seconds_each is None or self._clock() - self._pressed_at > _FORGET_S:
            return math.inf
        return max(self._least, self._patience_s / self._seconds_each)

    def answered(self, in_work: int, began: float) -> None:
        """Note an answer.

        Args:
            in_work: photos in work when this one came, itself included.
            began: when it came, by the clock.
        """
        self._learn(in_work, self._clock() - began)

    def failed(self, in_work: int, began: float) -> None:
        """Note a photo that was not answered because there was too much to do; arguments as above."""
        waited_s = max(self._clock() - began, self._patience_s)
        if self._seconds_each is None or waited_s / in_work > self._seconds_each:
            self._learn(in_work, waited_s)

    def left(self, in_work: int, began: float) -> None:
        """Note a photo whose caller went away; did he wait for a while, it was too long for him. Arguments as above."""
        if self._clock() - began > self._patience_s / 2:
            self.failed(in_work, began)

    def _learn(self, in_work: int, waited_s: float) -> None:
        if in_work <= self._least and 2 * in_work < self.most:
            return  # others cannot be why it took so long
        pressing = min(1.0, waited_s / (_PRESSING * self._patience_s))
        if pressing == 1:
            self._pressed_at = self._clock()
        if self._seconds_each is None:
            self._seconds_each = waited_s / in_work
        else:
            self._seconds_each += _WEIGHT * pressing * (waited_s / in_work - self._seconds_each)
