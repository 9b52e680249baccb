"""kill -9 at every moment of a photo's way: after the next start each photo is answered once."""

import random
import time
from collections import Counter

import pytest
from bot_process import BotProcess
from messenger import Messenger, Person
from photos import photo
from processes import wait_until

BLIGHT = "Likely: Cassava Bacterial Blight"
HOLDS = [
    ("sendMessage", "hold_before"),
    ("sendMessage", "hold_after"),
    ("getFile", "hold_before"),
    ("file", "hold_before"),
    ("sendChatAction", "hold_before"),
    ("editMessageMedia", "hold_before"),
    ("editMessageMedia", "hold_after"),
]
"""Calls in the midst of which the bot dies, before or behind their effect."""


def answers_to(person: Person) -> Counter[int | None]:
    """How many answers each message has; what still says that the bot is looking is none."""
    return Counter(bubble.reply_to for bubble in person.answers() if bubble.buttons)


def statuses(person: Person) -> int:
    """Messages that never became an answer."""
    return sum("looking" in bubble.words for bubble in person.answers())


def test_one_photo_at_each_moment(messenger: Messenger, bot: BotProcess) -> None:
    asked: dict[str, tuple[Person, int]] = {}
    for number, (method, kind) in enumerate(HOLDS):
        messenger.order({"kind": kind, "methods": [method], "times": 1})
        person = messenger.person(5000 + number)
        asked[f"{method} {kind}"] = person, person.sends_photo(photo())
        wait_until(lambda: messenger.happened(), 10, f"{kind} of {method}")
    messenger.order()
    in_gateway, in_album, unseen = (messenger.person(5100 + n) for n in range(3))
    asked["at the gateway"] = in_gateway, in_gateway.sends_photo(photo("sleep=1"))
    in_gateway.waits_for(lambda said: said, "a status")
    asked["in an album"] = in_album, in_album.sends_album([photo(), photo()])[0]
    bot.kill()
    asked["before it was seen"] = unseen, unseen.sends_photo(photo())
    bot.start()
    for person, sent in asked.values():
        person.waits_for(lambda _, person=person, sent=sent: answers_to(person)[sent], "an answer")
    time.sleep(1)
    assert {moment: answers_to(person) for moment, (person, _) in asked.items()} == {
        moment: {sent: 1} for moment, (_, sent) in asked.items()
    }
    # a status whose id was lost on the way cannot be found again
    left = {moment: statuses(person) for moment, (person, _) in asked.items() if statuses(person)}
    assert left == {"sendMessage hold_after": 1}


def test_an_update_that_was_handed_out_but_not_received(messenger: Messenger, bot: BotProcess) -> None:
    messenger.order({"kind": "hold_after", "methods": ["getUpdates"], "times": 1})
    person = messenger.person(5200)
    person.writes("/help")
    sent = person.sends_photo(photo())
    bot.kill()
    messenger.order()
    bot.start()
    person.waits_for(lambda _: answers_to(person)[sent], "an answer")
    assert [bubble.reply_to == sent for bubble in person.answers() if bubble.buttons] == [True]


def test_a_press_is_not_lost(messenger: Messenger, bot: BotProcess) -> None:
    person = messenger.person(5201)
    answer = person.waits_for_reply(person.sends_photo(photo()), BLIGHT)
    bot.kill()
    person.presses(answer, "Wrong")
    messenger.expire_buttons()
    bot.start()
    person.waits_for(lambda said: any("None of these" in bubble.buttons for bubble in said), "the question which")


def test_it_ends_in_order_when_it_is_asked_to(messenger: Messenger, bot: BotProcess) -> None:
    person = messenger.person(5202)
    sent = person.sends_photo(photo("sleep=1.5"))
    person.waits_for(lambda said: said, "a status")
    assert bot.stop() == 0
    assert answers_to(person)[sent] == 1
    bot.start()


def at_random(messenger: Messenger, bot: BotProcess, seed: int, photos: int, kills: int, people: int) -> None:
    chance = random.Random(seed)
    crowd = [messenger.person(6000 + 100 * seed + n) for n in range(people)]
    sent: list[tuple[Person, int]] = []
    for part in range(kills + 1):
        for _ in range(photos // (kills + 1)):
            person = chance.choice(crowd)
            sent.append((person, person.sends_photo(photo("sleep=0.05"))))
            time.sleep(chance.uniform(0, 0.15))
        if part < kills:
            time.sleep(chance.uniform(0, 0.4))
            bot.kill()
            bot.start()
    for person, message in sent:
        person.waits_for(lambda _, person=person, message=message: answers_to(person)[message], "an answer", 60)
    time.sleep(1.5)
    for person in crowd:
        assert answers_to(person) == {message: 1 for who, message in sent if who is person}


def test_at_random_moments(messenger: Messenger, bot: BotProcess) -> None:
    at_random(messenger, bot, seed=1, photos=15, kills=2, people=5)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_at_many_random_moments(messenger: Messenger, bot: BotProcess, seed: int) -> None:
    at_random(messenger, bot, seed, photos=100, kills=9, people=20)
