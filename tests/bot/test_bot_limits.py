"""How many photos a person may send, and what is said of it."""

import time

from bot_process import BotProcess
from messenger import Messenger, Person
from photos import photo

SETTINGS = {"photos": 3, "photos_window_s": 60}
BLIGHT = "Likely: Cassava Bacterial Blight"


def answered(person: Person) -> int:
    return sum(BLIGHT in bubble.words for bubble in person.answers())


def test_a_person_has_a_limit_and_is_told_once(messenger: Messenger, bot: BotProcess) -> None:
    eager, other = messenger.person(50_001), messenger.person(50_002)
    since = messenger.now()
    for _ in range(6):
        eager.sends_photo(photo())
    eager.waits_for(lambda said: any("You have sent many photos" in bubble.words for bubble in said))
    other.waits_for_reply(other.sends_photo(photo()), BLIGHT)
    eager.waits_for(lambda _: answered(eager) == 3)
    time.sleep(0.5)
    assert len(eager.answers()) == 4, "three answers and one word on the limit"
    assert len(messenger.calls("getFile", since=since)) == 4, "what is refused is not even fetched"


def test_a_limit_outlives_a_restart(messenger: Messenger, bot: BotProcess) -> None:
    eager = messenger.person(50_003)
    for _ in range(3):
        eager.waits_for_reply(eager.sends_photo(photo()), BLIGHT)
    bot.stop()
    bot.start()
    eager.sends_photo(photo())
    eager.waits_for(lambda said: any("You have sent many photos" in bubble.words for bubble in said))
    assert answered(eager) == 3


def test_commands_and_words_are_not_limited(messenger: Messenger, bot: BotProcess) -> None:
    person = messenger.person(50_004)
    for _ in range(5):
        person.writes("/help")
    person.waits_for(lambda said: len(said) == 5)
