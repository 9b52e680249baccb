"""Whether updates come in: the time of the last sign of life."""

import time


class Pulse:
    """Beats whenever Telegram has answered.

    Args:
        most_s: seconds without a beat after which the bot counts as cut off.
    """

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._last = time.monotonic()

    def beat(self) -> None:
        """Telegram has answered just now."""
        self._last = time.monotonic()

    @property
    def is_alive(self) -> bool:
        """Whether the last beat is recent enough."""
        return time.monotonic() - self._last < self._most_s
