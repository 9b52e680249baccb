"""Polling: updates are stored as Telegram sends them, also those that the library cannot read."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from telegram import Bot, Update
from telegram.error import InvalidToken
from telegram.request import BaseRequest

from bot.database import open_database, upgrade
from bot.database.working import Database
from bot.inbox.polling import Poller
from bot.inbox.pulse import Pulse
from bot.inbox.store import Inbox
from bot.inbox.workers import Workers
from bot.metrics import Metrics

ME = {"id": 7, "is_bot": True, "first_name": "Leaf", "username": "leaf_bot"}
CHAT = {"id": 5, "type": "private"}
UNREADABLE = {"message_id": 1, "date": 0, "chat": CHAT, "photo": [{"file_id": "a size that lacks all else"}]}
READABLE = {"message_id": 2, "date": 0, "chat": CHAT, "text": "hello"}


class Telegram(BaseRequest):
    """Brings `updates` from the offset on; 401 once `revoked`."""

    def __init__(self, updates: list[dict[str, Any]]) -> None:
        self.updates = updates
        self.revoked = False
        self.offsets: list[int] = []
        self.waited_s: list[float] = []

    @property
    def read_timeout(self) -> float:
        return 20.0

    async def initialize(self) -> None:
        """Nothing to connect."""

    async def shutdown(self) -> None:
        """Nothing to close."""

    async def do_request(self, url: str, *_: Any, request_data: Any = None, **times: Any) -> tuple[int, bytes]:
        if self.revoked:
            return 401, b'{"ok": false, "error_code": 401, "description": "Unauthorized"}'
        if url.lower().endswith("/getme"):
            return 200, json.dumps({"ok": True, "result": ME}).encode()
        assert url.lower().endswith("/getupdates")
        assert request_data.parameters["allowed_updates"] == ["message", "callback_query"]
        offset = request_data.parameters.get("offset", 0)
        self.offsets.append(offset)
        self.waited_s.append(times["read_timeout"])
        await asyncio.sleep(0.01)
        brought = [update for update in self.updates if update["update_id"] >= offset]
        return 200, json.dumps({"ok": True, "result": brought}).encode()


async def nothing(_: object) -> None:
    """No work is done."""


def poll(folder: Path, telegram: Telegram, until: Any) -> None:
    """Poll until `until(inbox)` is done or polling ends by itself."""

    async def run() -> None:
        engine = open_database(f"sqlite:///{folder / 'bot.db'}")
        upgrade(engine)
        database, metrics = Database(engine), Metrics()
        inbox = Inbox(database, album_wait_s=1)
        workers = Workers(inbox, nothing, nothing, 1, metrics)
        bot = Bot("7:token", request=telegram, get_updates_request=telegram)
        await bot.initialize()
        poller = Poller(bot, inbox, workers, metrics, Pulse(10), hold_s=30)
        try:
            async with asyncio.timeout(10):
                polling = asyncio.create_task(poller.run())
                waiting = asyncio.create_task(until(inbox))
                await asyncio.wait({polling, waiting}, return_when=asyncio.FIRST_COMPLETED)
                for task in (polling, waiting):
                    if task.done():
                        task.result()
                    task.cancel()
        finally:
            database.close()

    asyncio.run(run())


def test_an_update_that_cannot_be_read_holds_nobody_up(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    updates = [{"update_id": 11, "message": UNREADABLE}, {"update_id": 12, "message": READABLE}]
    with pytest.raises(TypeError):
        Update.de_json(updates[0], Bot("7:token"))
    telegram = Telegram(updates)

    async def both_are_stored(inbox: Inbox) -> None:
        while await inbox.waiting() < 2 or 13 not in telegram.offsets:
            await asyncio.sleep(0.01)

    poll(tmp_path, telegram, both_are_stored)
    assert telegram.offsets[:2] == [0, 13]
    assert set(telegram.waited_s) == {50.0}, "as long as Telegram holds the question, and a call's time"
    assert not recwarn.list


def test_a_revoked_token_ends_polling(tmp_path: Path) -> None:
    telegram = Telegram([])

    async def is_revoked(_: Inbox) -> None:
        telegram.revoked = True
        await asyncio.sleep(5)

    with pytest.raises(InvalidToken):
        poll(tmp_path, telegram, is_revoked)
