"""The queue of updates: `getUpdates` with offset, limit and long polling, and the faults of updates."""

import asyncio
import itertools
from typing import Any

from bot_api.errors import ApiError, bad_request
from bot_api.faults import UPDATES, Faults

DEFAULT_KINDS = ("message", "edited_message", "callback_query", "my_chat_member", "inline_query")
MAX_POLL_S = 50


class Updates:
    """Updates that are not confirmed yet.

    Those that repeat come a second time, with their old id, in the next batch after they were confirmed. Those out of order swap
    places with their neighbours.
    """

    def __init__(self, faults: Faults) -> None:
        self.allowed: tuple[str, ...] = DEFAULT_KINDS
        self.pending: dict[int, dict[str, Any]] = {}
        self.webhook_is_set = False
        self._again: list[dict[str, Any]] = []
        self._faults = faults
        self._numbers = itertools.count(700_000_001)
        self._news = asyncio.Condition()
        self._poll: asyncio.Task[Any] | None = None

    async def add(self, kind: str, content: dict[str, Any]) -> int | None:
        """A new update; returns its id, or None where the bot does not want this kind."""
        if kind not in self.allowed:
            return None
        number = next(self._numbers)
        async with self._news:
            self.pending[number] = {"update_id": number, kind: content}
            self._news.notify_all()
        return number

    async def changed(self) -> None:
        """Return when something was added."""
        async with self._news:
            await self._news.wait()

    def choose(self, kinds: list[str] | None) -> None:
        """`allowed_updates`: kept as it was where it is not given."""
        if kinds is not None:
            self.allowed = tuple(kinds) or DEFAULT_KINDS

    def confirm(self, before: int) -> None:
        """Forget all with a smaller id."""
        for number in [number for number in self.pending if number < before]:
            update = self.pending.pop(number)
            if self._faults.drawn("getupdates", UPDATES[:1]):
                self._again.append(update)

    async def get(self, offset: int, limit: int, timeout_s: int, kinds: list[str] | None) -> list[dict[str, Any]]:
        """One poll; a newer one ends it.

        Raises:
            ApiError: a webhook is set, or another poll took over.
        """
        if self.webhook_is_set:
            raise ApiError(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
            )
        if timeout_s < 0 or limit < 0:
            raise bad_request("parameter limit or timeout is negative")
        self.choose(kinds)
        if self._poll is not None:
            self._poll.cancel()
        poll = self._poll = asyncio.create_task(self._wait(offset, min(limit or 100, 100), min(timeout_s, MAX_POLL_S)))
        try:
            return await asyncio.shield(poll)
        except asyncio.CancelledError:
            if self._poll is poll:  # the caller is gone
                poll.cancel()
                raise
            raise ApiError(
                409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
            ) from None
        finally:
            if self._poll is poll:
                self._poll = None

    async def _wait(self, offset: int, limit: int, timeout_s: int) -> list[dict[str, Any]]:
        if offset < 0 and self.pending:
            offset = sorted(self.pending)[offset:][0]
        self.confirm(offset)
        async with self._news:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._news.wait_for(lambda: self.pending)
            except TimeoutError:
                return []
            batch = self._again + list(self.pending.values())[:limit]
            self._again = []
        for place in range(1, len(batch)):
            if self._faults.drawn("getupdates", UPDATES[1:]):
                batch[place - 1], batch[place] = batch[place], batch[place - 1]
        return batch[:limit] if len(batch) <= limit else batch
