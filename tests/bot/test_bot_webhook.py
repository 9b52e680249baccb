"""Webhook mode: Telegram brings the updates, with a secret that strangers do not know."""

import json
import time
from collections.abc import Iterator

import httpx2
import pytest
from bot_process import BotProcess, running_bot
from leaf_gateway import LeafGateway
from messenger import Messenger
from photos import photo
from processes import free_ports, wait_until

BLIGHT = "Likely: Cassava Bacterial Blight"
SECRET = "correct-horse_battery-staple"
PUBLIC = "https://bot.example.org"


@pytest.fixture(scope="module")
def bot(messenger: Messenger, gateway: LeafGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BotProcess]:
    (port,) = free_ports(1)
    messenger.put_behind(PUBLIC, f"http://127.0.0.1:{port}")
    settings = {
        "gateway_key": gateway.bot_key,
        "mode": "webhook",
        "webhook_url": f"{PUBLIC}/telegram",
        "webhook_secret": SECRET,
        "http_port": port,
    }
    with running_bot(messenger, gateway.url, tmp_path_factory.mktemp("bot"), **settings) as running:
        yield running


def test_a_photo_comes_by_webhook(messenger: Messenger, bot: BotProcess) -> None:
    person = messenger.person(60_001)
    answer = person.waits_for_reply(person.sends_photo(photo()), BLIGHT)
    person.presses(answer, "Right")
    person.waits_for(lambda _: any("Thank you" in toast for toast in person.toasts()))
    assert messenger.state()["webhook"] == f"{PUBLIC}/telegram"
    assert messenger.calls("getUpdates") == []


def test_updates_come_twice_and_in_any_order(messenger: Messenger, bot: BotProcess) -> None:
    person = messenger.person(60_002)
    messenger.order(
        {"kind": "repeat", "methods": ["getUpdates"]},
        {"kind": "reorder", "methods": ["getUpdates"], "share": 0.5},
        seed=3,
    )
    sent = [person.sends_photo(photo()) for _ in range(4)]
    for message in sent:
        person.waits_for_reply(message, BLIGHT)
    wait_until(lambda: messenger.state()["pending"] == [], 10, "all is delivered")
    messenger.order()
    time.sleep(0.5)
    assert sorted(bubble.reply_to or 0 for bubble in person.answers()) == sent


@pytest.mark.parametrize("headers", [{}, {"X-Telegram-Bot-Api-Secret-Token": "guessed"}], ids=["none", "wrong"])
def test_a_stranger_does_not_know_the_secret(messenger: Messenger, bot: BotProcess, headers: dict[str, str]) -> None:
    person = messenger.person(60_003)
    update = {
        "update_id": 1,
        "message": {
            "message_id": 1,
            "date": 0,
            "chat": {"id": person.id, "type": "private"},
            "from": {"id": person.id, "is_bot": False, "first_name": "M"},
            "text": "/help",
        },
    }
    reply = post(bot, json.dumps(update).encode(), headers)
    assert reply.status_code in (401, 403, 404)
    time.sleep(0.5)
    assert person.answers() == []


def post(bot: BotProcess, body: bytes, headers: dict[str, str]) -> httpx2.Response:
    url = f"http://127.0.0.1:{bot.environment['BOT_HTTP_PORT']}/telegram"
    return httpx2.post(url, content=body, headers={"Content-Type": "application/json", **headers}, trust_env=False)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"update_id": "x"}', b'{"update_id": 5, "message": 7}', b"\xff"]
)
def test_nonsense_with_the_secret_does_no_harm(messenger: Messenger, bot: BotProcess, body: bytes) -> None:
    reply = post(bot, body, {"X-Telegram-Bot-Api-Secret-Token": SECRET})
    assert reply.status_code < 500
    assert bot.get("/health").status_code == 200


def test_a_body_has_a_limit(bot: BotProcess) -> None:
    reply = post(bot, b" " * (8 * 2**20), {"X-Telegram-Bot-Api-Secret-Token": SECRET})
    assert reply.status_code in (400, 413)


def test_what_came_while_it_was_down_is_brought_again(messenger: Messenger, bot: BotProcess) -> None:
    person = messenger.person(60_004)
    bot.kill()
    sent = person.sends_photo(photo())
    time.sleep(0.5)
    bot.start()
    person.waits_for_reply(sent, BLIGHT)
    assert len(person.answers()) == 1


def test_back_to_polling(messenger: Messenger, bot: BotProcess, gateway: LeafGateway) -> None:
    bot.stop()
    polling = {**bot.environment, "BOT_MODE": "polling"}
    again = BotProcess(messenger, polling, bot.log)
    again.start()
    try:
        person = messenger.person(60_005)
        person.waits_for_reply(person.sends_photo(photo()), BLIGHT)
        assert messenger.state()["webhook"] == ""
    finally:
        again.stop()
