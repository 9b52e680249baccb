"""/classes while the gateway does not answer: a word of its own, which asks for no photo."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.conversation.commands import obey
from bot.wording.catalogue import LANGUAGES, Catalogue
from client import Unreachable


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_list_cannot_be_told_just_now(language: str) -> None:
    said: list[str] = []

    async def away(_: str) -> None:
        raise Unreachable("nobody there")

    async def reply(_: object, html: str) -> None:
        said.append(html)

    async def texts(_: object) -> Any:
        return Catalogue.load().texts(language)

    services: Any = SimpleNamespace(
        diagnosing=SimpleNamespace(classes=away), chat=SimpleNamespace(reply=reply), texts=texts
    )
    nobody = cast(Any, None)
    asyncio.run(obey(services, nobody, nobody, "classes"))
    assert len(said) == 1
    assert "/classes" in said[0]
    assert not any(word in said[0] for word in ("photo", "foto", "picha", "hoto", "fọ́tò"))
