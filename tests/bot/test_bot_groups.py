"""In a group: buttons are for the person who asked, and the bot looks at no picture that it has drawn itself."""

import pytest
from messenger import Messenger
from photos import photo

pytestmark = pytest.mark.usefixtures("bot")

GROUP = -1_001_700_000_077
BLIGHT = "Likely: Cassava Bacterial Blight"


def test_only_who_asked_for_languages_chooses_one(messenger: Messenger) -> None:
    amina, other = messenger.person(61_001).in_group(GROUP), messenger.person(61_002).in_group(GROUP)
    choice = amina.waits_for_reply(amina.writes("/language@leaf_doctor_bot"), "Which language")
    other.presses(choice, "Kiswahili")
    other.waits_for(lambda _: "Only the person who asked can say this." in other.toasts())
    amina.presses(choice, "Kiswahili")
    amina.waits_for(
        lambda said: any(one.id == choice.id and "Kiswahili" in one.words and not one.buttons for one in said)
    )
    messenger.person(61_002).writes("/help")
    messenger.person(61_002).waits_for(lambda said: any("How it works" in one.words for one in said), "help in English")


def test_the_bots_own_picture_is_no_leaf(messenger: Messenger) -> None:
    amina = messenger.person(61_003).in_group(GROUP - 1)
    answer = amina.waits_for_reply(amina.sends_photo(photo("hot=0,6,6"), caption="@leaf_doctor_bot"), BLIGHT)
    assert answer.photo
    since = messenger.now()
    amina.waits_for_reply(amina.writes("@leaf_doctor_bot thank you", reply_to=answer.id), "In a group")
    assert messenger.calls("getFile", since=since) == []
