"""The bot ends within its time, also while Telegram holds a message back for minutes."""

import asyncio
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.conversation import photos
from bot.conversation.photos import Photo, answer_photos
from bot.inbox.store import Admission, Case
from bot.secrets import Hashes
from bot.wording.catalogue import Catalogue


def test_a_status_that_is_held_back_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "_LAST_WORD_S", 0.1)
    cut_off: list[str] = []

    async def held_back(*_: object) -> int:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            cut_off.append("status")
            raise
        return 1

    async def granted(*_: object) -> Admission:
        return Admission.GRANTED

    async def english(_: object) -> Any:
        return Catalogue.load().texts("en")

    async def fetched(_: object) -> bytes:
        return b"photo"

    services: Any = SimpleNamespace(
        chat=SimpleNamespace(reply=held_back),
        files=SimpleNamespace(room_for=lambda _: nullcontext(), fetch=fetched),
        inbox=SimpleNamespace(admit=granted),
        settings=SimpleNamespace(photos=20, photos_window_s=600),
        hashes=Hashes(b"salt" * 8),
        texts=english,
    )
    case = Case("5", (1,), {1: "{}"}, None, 0, datetime.now(UTC))
    photo = cast(Any, Photo(cast(Any, SimpleNamespace(chat_id=5)), cast(Any, SimpleNamespace(file_size=5))))

    async def run() -> float:
        working = asyncio.create_task(answer_photos(services, case, [photo], cast(Any, SimpleNamespace(id=5))))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(working, 10)
        return time.monotonic() - began

    assert asyncio.run(run()) < 5
    assert cut_off == ["status"]
