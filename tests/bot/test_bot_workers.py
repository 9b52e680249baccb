"""The workers: lanes side by side and bounded, failures tried again, told, or left for the next start."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from telegram.error import BadRequest, Forbidden, NetworkError, TimedOut

from bot.database import open_database, upgrade
from bot.database.alone import alone
from bot.database.schema import updates
from bot.database.working import Database
from bot.errors import AlreadyRunningError
from bot.inbox import workers as workers_module
from bot.inbox.arrivals import Arrival
from bot.inbox.store import Case, Inbox
from bot.inbox.workers import Workers
from bot.metrics import Metrics

PATIENCE_S = 10


class Desk:
    """A running bot without Telegram: what is handled, and what was apologised for."""

    def __init__(self, inbox: Inbox, metrics: Metrics) -> None:
        self.inbox = inbox
        self.metrics = metrics
        self.begun: list[int] = []
        self.handled: list[int] = []
        self.apologies: list[int] = []
        self.most_at_once = 0
        self.at_once = 0
        self.failures: list[Exception] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def handle(self, case: Case) -> None:
        self.begun.append(case.name)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0.01)
            await self.hold.wait()
            if self.failures:
                raise self.failures.pop(0)
            self.handled.append(case.name)
        finally:
            self.at_once -= 1

    async def apologise(self, case: Case) -> None:
        self.apologies.append(case.name)

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                await asyncio.sleep(0.01)

    async def until_all_is_done(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await self.inbox.waiting():
                await asyncio.sleep(0.01)

    def outcome(self, name: str) -> float:
        return self.metrics.registry.get_sample_value("bot_cases_total", {"outcome": name}) or 0.0


def working(folder: Path, use: Callable[[Desk, Workers], Awaitable[None]], parallel: int = 4) -> None:
    """Run `use` while workers work off the inbox of a database in `folder`."""

    async def run() -> None:
        engine = open_database(f"sqlite:///{folder / 'bot.db'}")
        upgrade(engine)
        database = Database(engine)
        metrics = Metrics()
        desk = Desk(Inbox(database, album_wait_s=0.1), metrics)
        workers = Workers(desk.inbox, desk.handle, desk.apologise, parallel, metrics)
        running = asyncio.create_task(workers.run())
        try:
            await use(desk, workers)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            desk.hold.set()
            await workers.drain(1)
            database.close()

    asyncio.run(run())


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "_FIRST_PAUSE_S", 0.05)


def letters(*update_ids: int, lane: str = "7") -> list[Arrival]:
    return [Arrival(update_id, lane, None, "{}") for update_id in update_ids]


def test_a_chat_goes_in_order_while_others_go_on(tmp_path: Path) -> None:
    async def use(desk: Desk, workers: Workers) -> None:
        await desk.inbox.add([*letters(3, 1, 2), *letters(4, lane="8"), *letters(5, lane="9"), *letters(6, lane="10")])
        workers.wake()
        await desk.until_all_is_done()
        assert [name for name in desk.handled if name <= 3] == [1, 2, 3]
        assert desk.most_at_once == 2

    working(tmp_path, use, parallel=2)


def test_the_network_is_tried_again_without_end_of_tries(tmp_path: Path) -> None:
    async def use(desk: Desk, workers: Workers) -> None:
        desk.failures = [NetworkError("cut"), TimedOut(), NetworkError("cut"), NetworkError("cut")]
        await desk.inbox.add(letters(1, 2))
        workers.wake()
        await desk.until_all_is_done()
        assert (desk.handled, desk.apologies) == ([1, 2], [])
        assert desk.begun == [1, 1, 1, 1, 1, 2]

    working(tmp_path, use)


@pytest.mark.parametrize("failure", [ValueError("a defect"), BadRequest("can't parse entities")])
def test_a_defect_is_told_after_three_tries(tmp_path: Path, failure: Exception) -> None:
    async def use(desk: Desk, workers: Workers) -> None:
        desk.failures = [failure] * 3
        await desk.inbox.add(letters(1, 2))
        workers.wake()
        await desk.until_all_is_done()
        await desk.until(lambda: desk.outcome("failed"))
        assert (desk.handled, desk.apologies) == ([2], [1])

    working(tmp_path, use)


def test_nobody_is_told_where_nobody_is(tmp_path: Path) -> None:
    async def use(desk: Desk, workers: Workers) -> None:
        desk.failures = [Forbidden("bot was blocked by the user")]
        await desk.inbox.add(letters(1, 2))
        workers.wake()
        await desk.until_all_is_done()
        await desk.until(lambda: desk.outcome("nobody there"))
        assert (desk.handled, desk.apologies) == ([2], [])

    working(tmp_path, use)


def test_after_a_day_without_telegram_a_case_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "_GIVEN_UP_AFTER", timedelta(seconds=0.3))

    async def use(desk: Desk, workers: Workers) -> None:
        desk.failures = [NetworkError("cut")] * 100
        await desk.inbox.add(letters(1))
        workers.wake()
        await desk.until(lambda: desk.outcome("given up"))
        assert (desk.handled, desk.apologies, await desk.inbox.waiting()) == ([], [], 0)

    working(tmp_path, use)


def test_what_is_cut_off_at_the_end_is_done_after_the_next_start(tmp_path: Path) -> None:
    async def stop_in_the_middle(desk: Desk, workers: Workers) -> None:
        desk.hold.clear()
        await desk.inbox.add(letters(1))
        workers.wake()
        await desk.until(lambda: desk.begun)
        await workers.drain(0.05)
        assert desk.handled == []

    async def start_again(desk: Desk, _: Workers) -> None:
        await desk.until_all_is_done()
        assert desk.handled == [1]

    working(tmp_path, stop_in_the_middle)
    working(tmp_path, start_again)
    engine = open_database(f"sqlite:///{tmp_path / 'bot.db'}")
    with engine.connect() as connection:
        assert connection.scalars(select(updates.c.content)).all() == [None]
    engine.dispose()


def test_what_is_in_hand_at_the_end_gets_its_time(tmp_path: Path) -> None:
    async def use(desk: Desk, workers: Workers) -> None:
        desk.hold.clear()
        await desk.inbox.add(letters(1))
        workers.wake()
        await desk.until(lambda: desk.begun)
        asyncio.get_running_loop().call_later(0.1, desk.hold.set)
        await workers.drain(PATIENCE_S)
        assert desk.handled == [1]

    working(tmp_path, use)


def test_a_second_bot_waits_and_then_refuses(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bot.db'}"
    first, second = open_database(url), open_database(url)
    with alone(first, 0), pytest.raises(AlreadyRunningError, match="Another bot"), alone(second, 0.3):
        pass
    with alone(second, 0):
        pass
    first.dispose()
    second.dispose()
