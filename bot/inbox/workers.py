"""Works off the inbox: one case of a lane at a time, many lanes side by side."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import DBAPIError
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, NetworkError, RetryAfter

from bot.calling import seconds_to_wait
from bot.inbox.store import Case, Inbox
from bot.metrics import Metrics

log = structlog.get_logger()

_MOST_ATTEMPTS = 3
_GIVEN_UP_AFTER = timedelta(days=1)
_FIRST_PAUSE_S = 2.0
_LONGEST_PAUSE_S = 60.0
_DATABASE_PAUSE_S = 2.0

Handle = Callable[[Case], Awaitable[None]]


class Workers:
    """Hands each case to `handle`, and decides what a failure means.

    Args:
        handle: works on a case; what it does may be done again after a crash.
        apologise: tells the person that a case came to nothing.
        parallel: lanes in work at once.
    """

    def __init__(self, inbox: Inbox, handle: Handle, apologise: Handle, parallel: int, metrics: Metrics) -> None:
        self._inbox = inbox
        self._handle = handle
        self._apologise = apologise
        self._parallel = parallel
        self._metrics = metrics
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There may be something to do."""
        self._news.set()

    async def run(self) -> None:
        """Work until cancelled; what is in hand then goes on until `drain`."""
        while True:
            self._news.clear()
            pause_s = await self._start_what_is_due()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), pause_s)

    async def drain(self, grace_s: float) -> None:
        """Let what is in hand come to its end; what takes longer is cut off, and worked on again after the next start."""
        if not self._busy:
            return
        _, unfinished = await asyncio.wait(self._busy.values(), timeout=grace_s)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)

    async def _start_what_is_due(self) -> float | None:
        """Start what can be; returns the seconds until more may be due, None where only news can bring it."""
        free = self._parallel - len(self._busy)
        if free <= 0:
            return None
        try:
            cases, later = await self._inbox.due(list(self._busy), free)
        except DBAPIError:
            log.exception("the inbox cannot be read")
            return _DATABASE_PAUSE_S
        for case in cases:
            self._busy[case.lane] = asyncio.create_task(self._work(case))
        return None if later is None else max(0.0, (later - datetime.now(UTC)).total_seconds())

    async def _work(self, case: Case) -> None:
        try:
            await self._settle(case)
        except DBAPIError:
            log.exception("the inbox cannot be written; the case stays to do")
            await asyncio.sleep(_DATABASE_PAUSE_S)
        finally:
            del self._busy[case.lane]
            self.wake()

    async def _settle(self, case: Case) -> None:
        try:
            await self._handle(case)
        except (Forbidden, ChatMigrated) as error:  # blocked, left or moved: nobody is there to be told
            log.info("nobody to answer", reason=type(error).__name__)
            await self._end(case, "nobody there")
        except (NetworkError, RetryAfter, InvalidToken) as error:  # a token may be replaced: the photo is not to blame
            if isinstance(error, BadRequest):
                await self._fail(case)
            elif datetime.now(UTC) - case.received_at > _GIVEN_UP_AFTER:
                log.error("given up: Telegram did not take the answer for a day", reason=type(error).__name__)
                await self._end(case, "given up")
            else:
                log.warning("Telegram does not answer; tried again later", reason=type(error).__name__)
                asked_s = seconds_to_wait(error) if isinstance(error, RetryAfter) else 0.0
                await self._inbox.postpone(case, max(_pause_s(case), asked_s), failed=False)
        except Exception:
            await self._fail(case)
        else:
            await self._end(case, "done")

    async def _fail(self, case: Case) -> None:
        log.exception("a case failed", attempt=case.attempts + 1)
        if case.attempts + 1 < _MOST_ATTEMPTS:
            await self._inbox.postpone(case, _FIRST_PAUSE_S * (case.attempts + 1), failed=True)
            return
        try:
            await self._apologise(case)
        except Exception:
            log.exception("the person could not be told either")
        await self._end(case, "failed")

    async def _end(self, case: Case, outcome: str) -> None:
        await self._inbox.finish(case)
        self._metrics.cases.labels(outcome).inc()


def _pause_s(case: Case) -> float:
    """The longer Telegram has been away, the longer."""
    age_s = (datetime.now(UTC) - case.received_at).total_seconds()
    return min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, age_s / 4))
