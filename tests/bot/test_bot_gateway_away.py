"""The gateway is down, comes back, or dies with a photo in hand: nobody is left without a word."""

import time
from collections.abc import Iterator

import pytest
from bot_process import BotProcess, running_bot
from door import Door
from leaf_gateway import LeafGateway
from messenger import Messenger
from photos import photo
from processes import wait_until

BLIGHT = "Likely: Cassava Bacterial Blight"
PATIENCE_S = 5


@pytest.fixture(scope="module")
def door(gateway: LeafGateway) -> Iterator[Door]:
    """In front of the gateway."""
    door = Door(int(gateway.url.rpartition(":")[2]))
    yield door
    door.shut()


@pytest.fixture(scope="module")
def bot(
    messenger: Messenger, gateway: LeafGateway, door: Door, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BotProcess]:
    settings = {"gateway_key": gateway.bot_key, "patience_s": PATIENCE_S}
    with running_bot(messenger, door.url, tmp_path_factory.mktemp("bot"), **settings) as running:
        yield running


@pytest.fixture(autouse=True)
def shut(door: Door) -> Iterator[None]:
    """At first nobody answers."""
    door.shut()
    yield


@pytest.mark.usefixtures("bot")
def test_the_gateway_comes_back(messenger: Messenger, door: Door) -> None:
    person = messenger.person(51_001)
    sent = person.sends_photo(photo())
    status = person.waits_for_reply(sent, "keep trying")
    person.writes("/privacy")
    door.open()
    assert person.waits_for_reply(sent, BLIGHT, 30).id == status.id
    person.waits_for(lambda said: len(said) == 2, "what was written meanwhile is answered too")
    assert len(messenger.calls("editMessageText")) == 1, "busy was said once"


@pytest.mark.usefixtures("bot")
def test_patience_ends_with_a_word(messenger: Messenger) -> None:
    person, other = messenger.person(51_002), messenger.person(51_003)
    sent = person.sends_photo(photo())
    other.writes("/forget")
    answer = person.waits_for_reply(sent, "send it again later")
    assert not answer.buttons
    assert len(person.answers()) == 1
    other.waits_for(lambda said: any("could not delete everything" in bubble.words for bubble in said))


@pytest.mark.usefixtures("bot")
def test_the_gateway_dies_with_a_photo_in_hand(messenger: Messenger, door: Door) -> None:
    door.open()
    person = messenger.person(51_004)
    sent = person.sends_photo(photo("sleep=1"))
    person.waits_for_reply(sent, "looking")
    time.sleep(0.5)
    door.shut()
    time.sleep(0.3)
    door.open()
    person.waits_for_reply(sent, BLIGHT, 30)
    assert len(person.answers()) == 1


def test_a_restart_does_not_end_the_waiting(messenger: Messenger, bot: BotProcess, door: Door) -> None:
    person = messenger.person(51_005)
    since = messenger.now()
    sent = person.sends_photo(photo())
    wait_until(lambda: messenger.calls("sendChatAction", since=since), 10, "the gateway is asked")
    bot.kill()
    bot.start()
    door.open()
    person.waits_for_reply(sent, BLIGHT, 30)
    assert len(person.answers()) == 1
