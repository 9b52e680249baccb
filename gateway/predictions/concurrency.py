"""How many photos may be in work at once so that each is answered in time, learnt from those that were.

Little's law: a photo that found n in work and took t seconds says that n / t are answered a second, so that the next one
waits for (those in work) times t / n. Whoever would wait too long is better told at once: queued, he would take the time
of others and then go away unanswered, until nobody is answered in time any more (goodput collapse, see "Addressing
Cascading Failures" in Google's SRE book).
"""

LEAST = 8
"""Photos that are always let in: one dynamic batch, and the way back up after something slow."""
_WEIGHT = 0.1
_SLOWER = 0.8


class Pace:
    """Answers per second under load, as a moving average.

    Args:
        patience_s: how long a photo may wait for its answer.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._per_second: float | None = None

    @property
    def most_at_once(self) -> float:
        """Photos in work beyond which the next one would wait too long; infinite until one was answered."""
        return float("inf") if self._per_second is None else max(LEAST, self._per_second * self._patience_s)

    def answered(self, in_work: int, seconds: float) -> None:
        """Note an answer: how many were in work when its photo came, itself included, and how long it took."""
        rate = in_work / max(seconds, 1e-6)
        self._per_second = rate if self._per_second is None else self._per_second + _WEIGHT * (rate - self._per_second)

    def late(self) -> None:
        """Note a photo that waited in vain."""
        if self._per_second is not None:
            self._per_second *= _SLOWER
