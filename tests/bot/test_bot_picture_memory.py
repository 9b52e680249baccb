"""Large pictures are marked one at a time, whatever their format; small ones side by side."""

import asyncio
import base64
import io
import threading
import time
from typing import Any

import pytest
from PIL import Image

from bot.conversation import replies
from bot.wording.picture import is_light


def encoded(size: tuple[int, int], kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "green").save(buffer, kind, **options)
    return buffer.getvalue()


LARGE = (4000, 3000)
SMALL = (1280, 960)


@pytest.mark.parametrize(
    ("photo", "light"),
    [
        (encoded(SMALL, "JPEG"), True),
        (encoded(SMALL, "JPEG", progressive=True), True),
        (encoded(LARGE, "JPEG"), True),
        (encoded(LARGE, "JPEG", progressive=True), False),
        (encoded(LARGE, "PNG"), False),
        (b"no picture", True),
    ],
    ids=["small", "small progressive", "large", "large progressive", "large PNG", "broken"],
)
def test_what_is_light(photo: bytes, light: bool) -> None:
    assert is_light(photo) is light


@pytest.mark.parametrize(("size", "side_by_side"), [(LARGE, False), (SMALL, True)], ids=["large", "small"])
def test_large_ones_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], side_by_side: bool
) -> None:
    photo = encoded(size, "JPEG", progressive=True)
    counting = threading.Lock()
    at_once: list[int] = [0]
    seen: list[int] = []

    def marked(_: bytes, __: str) -> bytes:
        with counting:
            at_once[0] += 1
            seen.append(at_once[0])
        time.sleep(0.3)
        with counting:
            at_once[0] -= 1
        return b"marked"

    monkeypatch.setattr(replies, "marked", marked)
    reply: Any = {"decision": "accepted", "explanation": {"overlay_png": base64.b64encode(b"png").decode()}}

    async def four() -> list[bytes | None]:
        heavy = asyncio.Lock()
        return await asyncio.gather(*(replies.picture_for(reply, [photo], heavy) for _ in range(4)))

    assert asyncio.run(four()) == [b"marked"] * 4
    assert (max(seen) > 1) is side_by_side
