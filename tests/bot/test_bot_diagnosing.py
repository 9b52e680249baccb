"""Patience with the gateway: who is asked again, for how long, and what people hear meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bot import diagnosing as diagnosing_module
from bot.diagnosing import Diagnosing, is_passing
from bot.metrics import Metrics
from client import GatewayError, Refused, Unreachable

CLASSES = {"crop": "cassava", "classes": []}


class Gateway:
    """Fails as told, then answers."""

    def __init__(self, *failures: GatewayError) -> None:
        self.failures = list(failures)
        self.calls: list[str] = []
        self.at_once = 0
        self.most_at_once = 0

    async def _answer(self, name: str) -> dict[str, Any]:
        self.calls.append(name)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        if self.failures:
            raise self.failures.pop(0)
        return {"asked": name}

    async def predict(self, _photo: bytes, **_: object) -> dict[str, Any]:
        return await self._answer("predict")

    async def diagnose(self, _photos: list[tuple[str, bytes]], **_: object) -> dict[str, Any]:
        return await self._answer("diagnose")

    async def classes(self, language: str) -> dict[str, Any]:
        return {**await self._answer("classes"), **CLASSES, "language": language}


def refused(status: int, retry_after_s: float | None = None) -> Refused:
    return Refused(status, {"type": "/problems/some", "title": "Some", "detail": "Some."}, retry_after_s)


def using(
    gateway: Gateway, use: Callable[[Diagnosing], Awaitable[Any]], patience_s: float = 5.0, parallel: int = 4
) -> Any:
    async def run() -> Any:
        return await use(Diagnosing(gateway, patience_s, parallel, Metrics()))  # type: ignore[arg-type]

    return asyncio.run(run())


async def silence() -> None:
    return None


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosing_module, "_FIRST_PAUSE_S", 0.02)


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (Unreachable("gone"), True),
        (refused(429, 1), True),
        (refused(408), True),
        (refused(500), True),
        (refused(503, 5), True),
        (refused(504), True),
        (refused(401), False),
        (refused(403), False),
        (refused(413), False),
        (refused(422), False),
    ],
)
def test_which_refusals_pass(error: GatewayError, passing: bool) -> None:
    assert is_passing(error) is passing


def test_one_photo_is_a_prediction_and_several_a_diagnosis() -> None:
    gateway = Gateway()
    using(gateway, lambda diagnosing: diagnosing.ask([b"1"], "en", "hash", silence))
    using(gateway, lambda diagnosing: diagnosing.ask([b"1", b"2"], "en", "hash", silence))
    assert gateway.calls == ["predict", "diagnose"]


def test_passing_refusals_are_asked_again() -> None:
    gateway = Gateway(Unreachable("gone"), refused(503, 0.05), refused(429, 0.05), refused(500))
    assert using(gateway, lambda diagnosing: diagnosing.ask([b"1"], "en", "hash", silence)) == {"asked": "predict"}
    assert len(gateway.calls) == 5


def test_the_gateways_own_wait_is_honoured() -> None:
    gateway = Gateway(refused(429, 0.5))
    began = time.monotonic()
    using(gateway, lambda diagnosing: diagnosing.ask([b"1"], "en", "hash", silence))
    assert time.monotonic() - began >= 0.5


def test_a_photo_that_cannot_be_used_is_not_sent_again() -> None:
    gateway = Gateway(refused(422))
    with pytest.raises(Refused):
        using(gateway, lambda diagnosing: diagnosing.ask([b"1"], "en", "hash", silence))
    assert len(gateway.calls) == 1


def test_patience_ends() -> None:
    gateway = Gateway(*[Unreachable("gone")] * 100)
    began = time.monotonic()
    with pytest.raises(Unreachable):
        using(gateway, lambda diagnosing: diagnosing.ask([b"1"], "en", "hash", silence), patience_s=0.5)
    assert time.monotonic() - began < 1.5
    assert len(gateway.calls) > 2


def test_people_hear_once_that_it_takes_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosing_module, "_TELL_AFTER_S", 0.1)
    told: list[float] = []
    began = time.monotonic()

    async def tell() -> None:
        told.append(time.monotonic() - began)

    gateway = Gateway(*[refused(503, 0.05)] * 6)
    using(gateway, lambda diagnosing: diagnosing.ask([b"1"], "en", "hash", tell))
    assert len(told) == 1
    using(Gateway(refused(503, 0.01)), lambda diagnosing: diagnosing.ask([b"1"], "en", "hash", tell))
    assert len(told) == 1, "nobody is told of a moment"


def test_questions_at_once_are_bounded() -> None:
    gateway = Gateway()

    async def use(diagnosing: Diagnosing) -> None:
        await asyncio.gather(*(diagnosing.ask([b"1"], "en", "hash", silence) for _ in range(9)))

    using(gateway, use, parallel=3)
    assert gateway.most_at_once == 3


def test_classes_are_asked_for_once_a_language_and_are_not_needed() -> None:
    gateway = Gateway()

    async def use(diagnosing: Diagnosing) -> None:
        assert (await diagnosing.classes("sw"))["language"] == "sw"
        await diagnosing.classes("sw")
        await diagnosing.classes("fr")
        assert gateway.calls == ["classes", "classes"]
        gateway.failures = [Unreachable("gone")] * 3
        assert await diagnosing.known_classes("yo") is None
        assert (await diagnosing.known_classes("fr") or {})["crop"] == "cassava"
        with pytest.raises(Unreachable):
            await diagnosing.classes("ha")

    using(gateway, use)
