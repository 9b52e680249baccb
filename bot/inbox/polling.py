"""Long polling: asks Telegram for updates, stores them, and only then lets Telegram forget them."""

import asyncio
from typing import Any, cast

import structlog
from sqlalchemy.exc import DBAPIError
from telegram import Bot
from telegram.error import Conflict, EndPointNotFound, InvalidToken, RetryAfter, TelegramError

from bot.calling import seconds_to_wait
from bot.inbox.arrivals import WANTED, arrival
from bot.inbox.pulse import Pulse
from bot.inbox.store import Inbox
from bot.inbox.workers import Workers
from bot.metrics import Metrics

log = structlog.get_logger()

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class Poller:
    """Asks for as long as it runs."""

    def __init__(self, bot: Bot, inbox: Inbox, workers: Workers, metrics: Metrics, pulse: Pulse, hold_s: int) -> None:
        self._bot = bot
        self._inbox = inbox
        self._workers = workers
        self._metrics = metrics
        self._pulse = pulse
        self._hold_s = hold_s

    async def run(self) -> None:
        """Poll until cancelled; waits longer from failure to failure.

        Raises:
            InvalidToken: the token was revoked.
        """
        offset: int | None = None
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                offset = await self._poll(offset)
                pause_s = _FIRST_PAUSE_S
                continue
            except InvalidToken:
                raise
            except RetryAfter as error:
                pause_s = seconds_to_wait(error)
            except Conflict:
                log.error("another program asks for this bot's messages, or a webhook is set; only one may")
            except TelegramError as error:
                log.warning("Telegram does not answer", reason=str(error) or type(error).__name__)
            except DBAPIError:
                log.exception("updates cannot be stored; Telegram keeps them")
            except Exception:
                log.exception("updates cannot be read; Telegram keeps them")
            await asyncio.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)

    async def _poll(self, offset: int | None) -> int | None:
        brought = await self._ask(offset)
        arrivals = [one for update in brought if (one := arrival(update)) is not None]
        self._metrics.updates.inc(await self._inbox.add(arrivals))
        self._pulse.beat()
        if arrivals:
            self._workers.wake()
        return max((update["update_id"] + 1 for update in brought), default=offset)

    async def _ask(self, offset: int | None) -> list[dict[str, Any]]:
        """Updates as Telegram sends them. `Bot.get_updates` would parse them, and stay for ever at one that it cannot."""
        what = {"offset": offset, "timeout": self._hold_s, "allowed_updates": WANTED}
        most_s = self._hold_s + (self._bot.request.read_timeout or 0)
        try:  # in small letters, which Telegram takes too: the library warns of methods that it has itself
            told = await self._bot.do_api_request("getupdates", what, read_timeout=most_s)
        except EndPointNotFound as error:  # its word for 401 and 404
            raise InvalidToken from error
        return cast(list[dict[str, Any]], told)
