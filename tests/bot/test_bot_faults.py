"""Faults of Telegram's side in every call: each photo is answered once, the token stays secret, memory stays flat."""

import itertools
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from bot_process import BotProcess
from leaf_gateway import LeafGateway
from messenger import TOKEN, Messenger, Person
from photos import photo
from processes import wait_until

SETTINGS = {"log_level": "debug", "telegram_timeout_s": 5}
BLIGHT = "Likely: Cassava Bacterial Blight"
KINDS: list[dict[str, Any]] = [
    {"kind": "flood", "retry_after": 1},
    {"kind": "error"},
    {"kind": "bad_gateway"},
    {"kind": "slow", "seconds": 0.7},
    {"kind": "cut_before"},
    {"kind": "cut_after"},
]
POLLS: list[dict[str, Any]] = [
    {"kind": kind, "methods": ["getUpdates"]} for kind in ("repeat", "reorder", "error", "cut_after")
]


@pytest.fixture(autouse=True)
def faults_end(messenger: Messenger) -> Iterator[None]:
    yield
    messenger.order()


def answers_to(person: Person) -> Counter[int | None]:
    """How many answers each message has."""
    return Counter(bubble.reply_to for bubble in person.answers() if bubble.buttons)


def crowd_asks(messenger: Messenger, people: int, rounds: int, seed: int) -> dict[int, tuple[Person, list[int]]]:
    """Each person sends `rounds` photos, an album of two, and asks for help; returns the messages to be answered by person."""
    asked: dict[int, tuple[Person, list[int]]] = {}
    for number in range(people):
        person = messenger.person(20_000 + 1_000 * seed + number)
        asked[person.id] = person, []
    for _ in range(rounds):
        for person, sent in asked.values():
            sent.append(person.sends_photo(photo("hot=0,6,6")))
    for person, sent in asked.values():
        sent.append(person.sends_album([photo("hot=0,6,6"), photo()])[0])
        person.writes("/help")
    return asked


def all_answered(asked: dict[int, tuple[Person, list[int]]], seconds: float) -> None:
    """Wait for one answer to each, then see that there is no second."""
    for person, sent in asked.values():
        person.waits_for(lambda _, p=person, s=sent: set(s) <= set(answers_to(p)), f"answers to {sent}", seconds)
    time.sleep(2)
    for person, sent in asked.values():
        assert answers_to(person) == dict.fromkeys(sent, 1)


def test_every_photo_is_answered_once(messenger: Messenger, bot: BotProcess) -> None:
    messenger.order(*({**kind, "share": 0.05} for kind in KINDS + POLLS), seed=11)
    asked = crowd_asks(messenger, people=10, rounds=3, seed=0)
    all_answered(asked, 60)
    assert len({name.split()[0] for name in messenger.happened()}) >= 6
    lost = [call for call in messenger.calls("sendMessage") if call["fault"] == "cut_after"]
    left = sum("looking" in bubble.words for person, _ in asked.values() for bubble in person.answers())
    assert left <= len(lost), "only a status whose id was lost on the way may stay"


def test_the_token_is_in_no_line_of_the_log(messenger: Messenger, bot: BotProcess, gateway: LeafGateway) -> None:
    """Runs behind the faults: their tracebacks are in the log, at level debug."""
    person = messenger.person(30_000)
    messenger.order(*({**kind, "times": 1} for kind in KINDS), seed=1)
    person.waits_for_reply(person.sends_photo(photo()), BLIGHT, 40)
    said = bot.said()
    assert "debug" in said
    assert "editMessageMedia" in said, "the log shows calls of Telegram"
    number, secret = TOKEN.split(":")
    for hidden in (TOKEN, secret, secret[5:], f"{number}%3A", gateway.bot_key):
        assert hidden not in said


def test_flood_control_is_honoured(messenger: Messenger) -> None:
    person = messenger.person(30_001)
    since = messenger.now()
    messenger.order({"kind": "flood", "retry_after": 3, "methods": ["sendMessage"], "times": 1})
    person.waits_for_reply(person.sends_photo(photo()), BLIGHT)
    first, second = messenger.calls("sendMessage", since=since)
    assert first["status"] == 429
    assert second["at"] - first["at"] >= 3


@pytest.mark.parametrize("kind", ["cut_after", "slow_after"])
def test_an_edit_whose_answer_was_lost_is_not_doubled(messenger: Messenger, kind: str) -> None:
    person = messenger.person(30_002 + len(kind))
    messenger.order({"kind": kind, "seconds": 6, "methods": ["editMessageMedia"], "times": 1})
    sent = person.sends_photo(photo("hot=0,6,6"))
    person.waits_for_reply(sent, BLIGHT)
    time.sleep(1)
    assert len(person.answers()) == 1


def test_telegram_goes_away_for_a_while(messenger: Messenger) -> None:
    person = messenger.person(30_020)
    messenger.order({"kind": "cut_before"}, {"kind": "error", "methods": ["getUpdates"]})
    sent = person.sends_photo(photo())
    time.sleep(2)
    assert person.answers() == []
    messenger.order()
    person.waits_for_reply(sent, BLIGHT, 30)
    assert answers_to(person) == {sent: 1}


def added_by_the_bot(messenger: Messenger, gateway: LeafGateway, photos: int) -> list[float]:
    """Seconds from a photo's sending to its answer on the screen, less those that the gateway takes."""
    image = photo("hot=0,6,6")
    direct: list[float] = []
    through: list[float] = []
    with httpx2.Client(base_url=gateway.url, headers={"X-API-Key": gateway.bot_key}, trust_env=False) as http:
        for number in range(photos):
            began = time.perf_counter()
            http.post("/v1/predict?explain=true", content=image).raise_for_status()
            direct.append(time.perf_counter() - began)
            person = messenger.person(40_000 + number)
            since = messenger.now()
            person.waits_for_reply(person.sends_photo(image), BLIGHT)
            calls = messenger.calls("editMessageMedia", since=since)
            (edit,) = (call for call in calls if call["fields"]["chat_id"] == str(person.id))
            through.append(edit["done"] - since)
    usual = statistics.median(direct)
    return [seconds - usual for seconds in through]


@pytest.mark.long
def test_the_bot_adds_little(messenger: Messenger, gateway: LeafGateway, bot: BotProcess) -> None:
    added_by_the_bot(messenger, gateway, 5)
    added = added_by_the_bot(messenger, gateway, 30)
    assert statistics.quantiles(added, n=20)[-1] <= 0.3, sorted(added)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_five_hundred_updates_of_fifty_people(messenger: Messenger, bot: BotProcess, gateway: LeafGateway) -> None:
    messenger.order(*({**kind, "share": 0.05} for kind in KINDS + POLLS), seed=12)
    warm = crowd_asks(messenger, people=20, rounds=7, seed=1)
    all_answered(warm, 300)
    before = bot.memory_bytes
    asked = crowd_asks(messenger, people=50, rounds=7, seed=2)
    all_answered(asked, 600)
    happened = messenger.happened()
    kinds = {name.split()[0] for name in happened}
    assert kinds == {kind["kind"] for kind in itertools.chain(KINDS, POLLS)}, happened
    grown = bot.memory_bytes - before
    assert grown < 16 * 2**20, f"memory grew by {grown / 2**20:.1f} MiB from {before / 2**20:.0f}"
    messenger.order()
    wait_until(lambda: messenger.state()["pending"] == [], 20, "all updates are confirmed")
