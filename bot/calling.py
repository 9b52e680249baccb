"""Calls of Telegram with manners: paced, held back where Telegram asks for it, tried again where the network fails."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from math import ceil
from typing import TypeVar

import structlog
from aiolimiter import AsyncLimiter
from telegram.error import BadRequest, NetworkError, RetryAfter

from bot.metrics import Metrics

log = structlog.get_logger()
os.environ.setdefault("PTB_TIMEDELTA", "true")  # else asking an error how long to wait is a deprecation warning

T = TypeVar("T")

_GROUP_MESSAGES = 20
_GROUP_PERIOD_S = 60
_MOST_TRIES = 5
_LONGEST_HOLD_S = 120.0
_FIRST_PAUSE_S = 0.3
_MARGIN_S = 0.1
_MOST_GROUPS = 512


class Calling:
    """Makes calls of one bot.

    Telegram's "retry after" holds back the chat that it was said about, and no other: a flood in one chat is not paid for by
    everybody who waits in another.

    Args:
        messages_per_s: to all chats together.
    """

    def __init__(self, messages_per_s: float, metrics: Metrics) -> None:
        self._overall = AsyncLimiter(messages_per_s, 1)
        self._groups: dict[int, AsyncLimiter] = {}
        self._held_until: dict[int | None, float] = {}
        self._metrics = metrics

    async def message(self, chat_id: int, make: Callable[[], Awaitable[T]]) -> T:
        """Make a call that shows something in a chat; it counts towards Telegram's limits.

        Args:
            make: makes the call; called again after a failure, so what it does may be done twice.

        Raises:
            telegram.error.RetryAfter: Telegram asks to wait for longer than two minutes.
            telegram.error.TelegramError: it failed for good, or too often.
        """
        if chat_id < 0:
            await self._group(chat_id).acquire()
        await self._overall.acquire()
        return await self.call(make, chat_id)

    async def call(self, make: Callable[[], Awaitable[T]], chat_id: int | None = None) -> T:
        """Make any call, likewise, without counting it.

        Raises:
            telegram.error.TelegramError
        """
        pause_s = _FIRST_PAUSE_S
        for left in reversed(range(_MOST_TRIES)):
            await self._wait_while_held(chat_id)
            try:
                return await make()
            except RetryAfter as error:
                after_s = seconds_to_wait(error)
                self._metrics.telegram_retries.labels("held").inc()
                self._held_until[chat_id] = time.monotonic() + after_s + _MARGIN_S
                if not left:
                    raise
            except BadRequest:
                raise
            except NetworkError as error:
                self._metrics.telegram_retries.labels("network").inc()
                if not left:
                    raise
                log.info("Telegram is asked again", reason=type(error).__name__)
                await asyncio.sleep(pause_s)
                pause_s *= 2
        raise AssertionError("the last try returns or raises")

    async def _wait_while_held(self, chat_id: int | None) -> None:
        while (hold_s := self._held_until.get(chat_id, 0.0) - time.monotonic()) > 0:
            if hold_s > _LONGEST_HOLD_S:  # whoever asked comes again then, and keeps no memory until then
                raise RetryAfter(ceil(hold_s))
            await asyncio.sleep(hold_s)
        self._held_until.pop(chat_id, None)

    def _group(self, chat_id: int) -> AsyncLimiter:
        if len(self._groups) > _MOST_GROUPS:
            self._groups = {key: one for key, one in self._groups.items() if not one.has_capacity(_GROUP_MESSAGES)}
        return self._groups.setdefault(chat_id, AsyncLimiter(_GROUP_MESSAGES, _GROUP_PERIOD_S))


def seconds_to_wait(error: RetryAfter) -> float:
    """As Telegram asks for."""
    after = error.retry_after
    return float(after) if isinstance(after, int) else after.total_seconds()
