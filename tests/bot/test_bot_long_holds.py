"""Telegram asks to wait for many minutes, or does not know the token for a while: nothing is asked before, nothing is lost."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from telegram.error import InvalidToken, RetryAfter, TelegramError

from bot.calling import Calling
from bot.database import open_database, upgrade
from bot.database.schema import updates
from bot.database.working import Database
from bot.inbox.arrivals import Arrival
from bot.inbox.store import Case, Inbox
from bot.inbox.workers import Workers
from bot.metrics import Metrics

PATIENCE_S = 10


def test_until_a_long_hold_is_over_its_chat_is_not_asked_again() -> None:
    asked: list[int] = []

    async def flooded() -> None:
        asked.append(7)
        raise RetryAfter(600)

    async def fine() -> None:
        asked.append(8)

    async def use() -> float:
        calling = Calling(1000, Metrics())
        for _ in range(2):
            with pytest.raises(RetryAfter) as told:
                await calling.message(7, flooded)
        await calling.message(8, fine)
        return told.value.retry_after.total_seconds()

    assert asyncio.run(use()) > 590, "what is left of it"
    assert asked == [7, 8]


@pytest.mark.parametrize(("failure", "least_s"), [(RetryAfter(600), 590), (InvalidToken("Not Found (404)"), 1)])
def test_the_case_comes_again_when_telegram_may_be_asked_again(
    tmp_path: Path, failure: TelegramError, least_s: float
) -> None:
    apologies: list[int] = []

    async def handle(_: Case) -> None:
        raise failure

    async def apologise(case: Case) -> None:
        apologies.append(case.name)

    async def run() -> tuple[timedelta, int, datetime | None]:
        engine = open_database(f"sqlite:///{tmp_path / 'bot.db'}")
        upgrade(engine)
        database = Database(engine)
        inbox = Inbox(database, album_wait_s=1)
        workers = Workers(inbox, handle, apologise, 1, Metrics())
        await inbox.add([Arrival(1, "7", None, "{}")])
        began = datetime.now(UTC)
        working = asyncio.create_task(workers.run())

        async def row() -> object:
            return await database.read(lambda connection: connection.execute(select(updates)).one())

        try:
            async with asyncio.timeout(PATIENCE_S):
                while (seen := await row()).due_at <= began:
                    await asyncio.sleep(0.01)
        finally:
            working.cancel()
            await workers.drain(1)
            database.close()
        return seen.due_at - began, seen.attempts, seen.done_at

    pause, attempts, done_at = asyncio.run(run())
    assert pause.total_seconds() > least_s
    assert (attempts, done_at, apologies) == (0, None, [])
