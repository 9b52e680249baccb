"""How many photos may be in work at once so that each is answered in time: an adaptive concurrency limit.

Whoever would wait too long is better told at once: queued, he would take the time of others and then go away unanswered,
until nobody is answered in time any more (goodput collapse, "Addressing Cascading Failures" in Google's SRE book).
By Little's law a photo that found n in work and took t seconds, longer than it should, says that n times the patience
divided by t would have been right. The way up is TCP's: by one per round.
"""

import math
import time
from collections.abc import Callable

LEAST = 4
"""Photos that the processes of a gateway together always let in, at least one each: a way back up after something slow."""
_LOWER = 0.9
_FORGET_S = 60.0


class ConcurrencyLimit:
    """What is right is learnt from photos that came too late; without any, nothing is limited.

    Args:
        patience_s: how long a photo may wait for its answer.
        least: the limit is never lower.
        clock: seconds.
    """

    def __init__(self, patience_s: float, least: int = LEAST, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience_s, self._least, self._clock = patience_s, least, clock
        self._most = math.inf
        self._lowered_at = -math.inf

    @property
    def most(self) -> float:
        """Photos in work beyond which the next one would wait too long; infinite if none was late for a minute."""
        return math.inf if self._clock() - self._lowered_at > _FORGET_S else self._most

    def answered(self, in_work: int, began: float) -> None:
        """Note an answer.

        Args:
            in_work: photos in work when this one came, itself included.
            began: when it came, by the clock.
        """
        waited_s = self._clock() - began
        if waited_s > self._patience_s:
            self.failed(in_work, began)
        elif 2 * in_work >= self._most:
            self._most += 1 / self._most

    def failed(self, in_work: int, began: float) -> None:
        """Note a photo that was not answered because there was too much to do; arguments as above."""
        if began <= self._lowered_at or in_work <= self._least:
            return  # it came under the former limit; or others cannot be why it took so long
        now = self._clock()
        right = min(self._patience_s / max(now - began, 1e-9), _LOWER)
        self._most = max(self._least, right * min(in_work, self.most))
        self._lowered_at = now

    def left(self, in_work: int, began: float) -> None:
        """Note a photo whose caller went away; did he wait for a while, it was too long for him. Arguments as above."""
        if self._clock() - began > self._patience_s / 2:
            self.failed(in_work, began)
