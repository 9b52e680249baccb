"""Calls of Telegram: tried again where that helps, held back for one chat alone, never faster than allowed."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter, TelegramError, TimedOut

from bot import calling as calling_module
from bot.calling import Calling
from bot.metrics import Metrics


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling_module, "_FIRST_PAUSE_S", 0.01)


class Telegram:
    """Fails as told, then answers with the number of the call."""

    def __init__(self, *failures: TelegramError) -> None:
        self.failures = list(failures)
        self.calls = 0

    async def call(self) -> int:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return self.calls


def using(use: Callable[[Calling], Awaitable[Any]], per_s: float = 1000) -> Any:
    async def run() -> Any:
        return await use(Calling(per_s, Metrics()))

    return asyncio.run(run())


def test_passing_failures_are_tried_again() -> None:
    telegram = Telegram(NetworkError("cut"), TimedOut(), RetryAfter(0), NetworkError("Bad Gateway (502)"))
    assert using(lambda calling: calling.message(7, telegram.call)) == 5


@pytest.mark.parametrize("failure", [BadRequest("chat not found"), Forbidden("blocked")])
def test_what_will_not_change_is_not_tried_again(failure: TelegramError) -> None:
    telegram = Telegram(failure)
    with pytest.raises(type(failure)):
        using(lambda calling: calling.message(7, telegram.call))
    assert telegram.calls == 1


def test_tries_end() -> None:
    telegram = Telegram(*[NetworkError("cut")] * 20)
    with pytest.raises(NetworkError):
        using(lambda calling: calling.message(7, telegram.call))
    assert telegram.calls == 5


def test_a_hold_of_many_minutes_is_not_waited_for() -> None:
    telegram = Telegram(RetryAfter(600))
    with pytest.raises(RetryAfter):
        using(lambda calling: calling.message(7, telegram.call))


def test_a_hold_is_obeyed_by_the_chat_that_it_was_said_about_and_no_other() -> None:
    async def use(calling: Calling) -> dict[str, float]:
        began = time.monotonic()
        took: dict[str, float] = {}

        async def timed(name: str, chat: int, telegram: Telegram) -> None:
            await calling.message(chat, telegram.call)
            took[name] = time.monotonic() - began

        first = asyncio.create_task(timed("held", 7, Telegram(RetryAfter(1))))
        await asyncio.sleep(0.05)
        await asyncio.gather(first, timed("same chat", 7, Telegram()), timed("other chat", 8, Telegram()))
        return took

    took = using(use)
    assert took["held"] >= 1 and took["same chat"] >= 1
    assert took["other chat"] < 0.9


def test_messages_are_paced_and_groups_more_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling_module, "_GROUP_MESSAGES", 2)
    monkeypatch.setattr(calling_module, "_GROUP_PERIOD_S", 1)

    async def use(calling: Calling) -> tuple[float, float]:
        async def timed(chat: int, count: int) -> float:
            began = time.monotonic()
            await asyncio.gather(*(calling.message(chat, Telegram().call) for _ in range(count)))
            return time.monotonic() - began

        return await timed(-5, 3), await timed(5, 15)

    group_s, private_s = using(use, per_s=10)
    assert group_s >= 0.45, "the third waits for half of the group's period"
    assert private_s >= 0.4, "five beyond the first ten wait"
