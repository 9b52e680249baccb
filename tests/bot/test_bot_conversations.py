"""What people write and what they see: the unmodified bot between a Bot API server and a real gateway."""

import io
import time
import zlib

import pytest
from bot_process import BotProcess
from leaf_gateway import LeafGateway
from messenger import Bubble, Messenger, Person
from photos import encode, photo, picture
from pictures import DATA, needs
from PIL import Image

pytestmark = pytest.mark.usefixtures("bot")

BLIGHT = "Likely: Cassava Bacterial Blight"
MOSAIC = "probabilities=0.02,0.02,0.02,0.92,0.02"
DOUBT = "probabilities=0.45,0.42,0.05,0.05,0.03"
STRANGER = "outlier=9"
GROUP = -1_001_700_000_001


@pytest.fixture
def amina(messenger: Messenger, request: pytest.FixtureRequest) -> Person:
    """Somebody new for each test."""
    return messenger.person(10_000 + zlib.crc32(request.node.name.encode()), first_name="Amina")


def test_a_photo_becomes_a_diagnosis(messenger: Messenger, amina: Person) -> None:
    sent = amina.sends_photo(photo("hot=0,6,6"))
    answer = amina.waits_for_reply(sent, BLIGHT)
    assert len(amina.answers()) == 1, "the status became the answer"
    assert "91" in answer.words
    assert "Less likely: " in answer.words
    assert "Ask the extension service." in answer.words
    assert "Cassava" in answer.words
    assert len(answer.buttons) == 3
    calls = [call["method"] for call in messenger.calls() if str(call["fields"].get("chat_id")) == str(amina.id)]
    assert calls.count("sendmessage") == 1
    assert [name for name in calls if name.startswith("edit")] == ["editmessagemedia"]
    assert "sendchataction" in calls


def test_the_picture_shows_where_it_was_seen(messenger: Messenger, amina: Person) -> None:
    sent = amina.sends_photo(photo("hot=0,0,0"))
    answer = amina.waits_for_reply(sent, BLIGHT)
    assert answer.photo
    with Image.open(io.BytesIO(messenger.file(answer.photo))) as marked:
        assert marked.format == "JPEG"
        assert not marked.getexif()
        colours = marked.convert("RGB").resize((320, 240))
    plain = picture()
    near, far = (54, 12), (200, 220)
    assert distance(colours.getpixel(near), plain.getpixel(near)) > 60
    assert distance(colours.getpixel(far), plain.getpixel(far)) < 30


def distance(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


def test_typing_is_shown_for_as_long_as_it_takes(messenger: Messenger, amina: Person) -> None:
    sent = amina.sends_photo(photo("sleep=2.5"))
    status = amina.waits_for_reply(sent, "looking")
    answer = amina.waits_for_reply(sent, BLIGHT)
    assert answer.id == status.id
    assert [action["action"] for action in messenger.screen(amina.id)["actions"]][:1] == ["typing"]


@pytest.mark.parametrize(
    ("order", "says", "never"), [(DOUBT, "Not sure", "What to do"), (STRANGER, "I cannot tell", "Blight")]
)
def test_unclear_photos_get_tips_and_no_disease(amina: Person, order: str, says: str, never: str) -> None:
    answer = amina.waits_for_reply(amina.sends_photo(photo(order)), says)
    assert "For a good photo" in answer.words
    assert "extension officer" in answer.words
    assert never not in answer.words
    assert "Likely" not in answer.words
    assert answer.photo is None


def test_an_album_is_answered_once(messenger: Messenger, amina: Person) -> None:
    sent = amina.sends_album([photo(), photo(), photo("hot=0,2,2")])
    answer = amina.waits_for_reply(sent[0], BLIGHT)
    assert "3 photos" in answer.words
    settle(messenger)
    assert len(amina.answers()) == 1


def test_a_straggler_joins_its_album(messenger: Messenger, amina: Person) -> None:
    sent = amina.sends_album([photo(), photo()])
    first = amina.waits_for_reply(sent[0], "2 photos")
    amina.sends_photo(photo(), group=f"album-{amina.id}")
    answer = amina.waits_for_reply(sent[0], "3 photos")
    assert answer.id == first.id
    settle(messenger)
    assert len(amina.answers()) == 1


def test_stragglers_may_change_the_answer(messenger: Messenger, amina: Person) -> None:
    sent = amina.sends_album([photo(), photo()])
    assert amina.waits_for_reply(sent[0], "2 photos").photo
    for count in (3, 4, 5):
        amina.sends_photo(photo(MOSAIC), group=f"album-{amina.id}")
        answer = amina.waits_for_reply(sent[0], f"{count} photos")
        settle(messenger)
        assert len(amina.answers()) == 1
        assert answer.photo is None or "Likely" in answer.words, "a marked picture names one disease"


def test_an_album_of_ten_with_a_broken_one(amina: Person) -> None:
    sent = [amina.sends_document(photo(), f"{n}.jpg", "image/jpeg", group=f"ten-{amina.id}") for n in range(9)]
    amina.sends_document(b"no image", "broken.jpg", "image/jpeg", group=f"ten-{amina.id}")
    answer = amina.waits_for_reply(sent[0], BLIGHT)
    assert "10 photos. 9 of them" in answer.words


def test_a_picture_sent_as_a_file(amina: Person) -> None:
    turned = encode(picture(), exif=orientation(6), comment=b"null-model:hot=0,0,0;")
    sent = amina.sends_document(turned, "IMG_1.jpg", "application/octet-stream")
    answer = amina.waits_for_reply(sent, BLIGHT)
    with Image.open(io.BytesIO(amina.messenger.file(str(answer.photo)))) as marked:
        assert marked.height > marked.width, "upright, as a person sees it"


def orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


@needs("odd_images")
def test_an_iphone_picture(amina: Person) -> None:
    heic = (DATA / "odd_images" / "pug.heic").read_bytes()
    answer = amina.waits_for_reply(amina.sends_document(heic, "IMG_0042.HEIC", "image/heic"), BLIGHT)
    assert answer.buttons


def test_a_forwarded_photo(amina: Person) -> None:
    sent = amina.sends_photo(photo(), forwarded_from=77)
    assert amina.waits_for_reply(sent, BLIGHT).buttons


def test_a_group_hears_the_bot_only_when_it_is_asked(messenger: Messenger, amina: Person) -> None:
    here = amina.in_group(GROUP)
    quiet = here.sends_photo(photo())
    here.writes("nice weather")
    here.writes("@leaf_doctor_bot what is this?", reply_to=quiet)
    here.waits_for(lambda said: any(BLIGHT in bubble.words for bubble in said))
    settle(messenger)
    assert len(here.answers()) == 1
    captioned = here.sends_photo(photo(MOSAIC), caption="and this, @leaf_doctor_bot ?")
    assert here.waits_for_reply(captioned, "Likely: Cassava Mosaic Disease").buttons
    here.writes("@leaf_doctor_bot hello")
    here.waits_for(lambda said: len(said) == 3, "a hint how to ask in a group")


def test_only_who_asked_may_judge_in_a_group(messenger: Messenger, amina: Person) -> None:
    here = amina.in_group(GROUP - 1)
    sent = here.sends_photo(photo(), caption="@leaf_doctor_bot")
    answer = here.waits_for_reply(sent, BLIGHT)
    stranger = messenger.person(31).in_group(GROUP - 1)
    stranger.presses(answer, "Right")
    here.waits_for(lambda _: "Only the person who asked can say this." in here.toasts(), "a word to the stranger")


def test_right(gateway: LeafGateway, amina: Person) -> None:
    answer = amina.waits_for_reply(amina.sends_photo(photo()), BLIGHT)
    count = len(gateway.feedback())
    amina.presses(answer, "Right")
    amina.waits_for(lambda said: thanked(amina, said), "thanks")
    gateway.waits_for_feedback(count, verdict="correct", photo_kept=False)
    assert BLIGHT in amina.answers()[0].words, "the answer stays readable"


def thanked(person: Person, said: list[Bubble]) -> bool:
    return any("Thank you" in words for words in [*person.toasts(), *(bubble.words for bubble in said)])


@pytest.mark.parametrize(("consent", "kept"), [("Yes, keep it", True), ("No, do not keep it", False)])
def test_wrong_then_which_then_may_we_keep_it(gateway: LeafGateway, amina: Person, consent: str, kept: bool) -> None:
    answer = amina.waits_for_reply(amina.sends_photo(photo()), BLIGHT)
    count = len(gateway.feedback())
    amina.presses(answer, "Wrong")
    amina.presses(button(amina, "Cassava Mosaic Disease"), "Cassava Mosaic Disease")
    amina.presses(button(amina, consent), consent)
    amina.waits_for(lambda said: thanked(amina, said), "thanks")
    said = gateway.waits_for_feedback(count, verdict="wrong", class_key="cmd", photo_kept=kept)
    if kept:
        image = gateway.expert.get(f"/v1/feedback/{said['feedback_id']}/photo")
        assert Image.open(io.BytesIO(image.content)).size == (320, 240)


def button(person: Person, words: str) -> Bubble:
    """The message with this button, once it is there."""

    def having(said: list[Bubble]) -> list[Bubble]:
        return [bubble for bubble in said if any(words in label for label in bubble.buttons)]

    return having(person.waits_for(having, f"a button {words!r}"))[-1]


def test_wrong_and_none_of_these(gateway: LeafGateway, amina: Person) -> None:
    answer = amina.waits_for_reply(amina.sends_photo(photo()), BLIGHT)
    count = len(gateway.feedback())
    amina.presses(answer, "Wrong")
    amina.presses(button(amina, "None of these"), "None of these")
    amina.presses(button(amina, "No, do not"), "No, do not")
    amina.waits_for(lambda said: thanked(amina, said), "thanks")
    gateway.waits_for_feedback(count, verdict="wrong", class_key=None)


def test_i_do_not_know(gateway: LeafGateway, amina: Person) -> None:
    answer = amina.waits_for_reply(amina.sends_photo(photo(DOUBT)), "Not sure")
    count = len(gateway.feedback())
    amina.presses(answer, "I do not know")
    amina.waits_for(lambda said: thanked(amina, said), "thanks")
    gateway.waits_for_feedback(count, verdict="unsure")


def test_feedback_on_an_album(gateway: LeafGateway, amina: Person) -> None:
    sent = amina.sends_album([photo(), photo()])
    answer = amina.waits_for_reply(sent[0], BLIGHT)
    count = len(gateway.feedback())
    amina.presses(answer, "Right")
    amina.waits_for(lambda said: thanked(amina, said), "thanks")
    gateway.waits_for_feedback(count, verdict="correct")


def test_a_button_pressed_twice_counts_once(gateway: LeafGateway, amina: Person) -> None:
    answer = amina.waits_for_reply(amina.sends_photo(photo()), BLIGHT)
    count = len(gateway.feedback())
    for _ in range(3):
        amina.presses(answer, "Right")
    amina.waits_for(lambda said: thanked(amina, said), "thanks")
    settle(amina.messenger)
    assert len(gateway.feedback()) == count + 1


def test_an_old_button_says_so(messenger: Messenger, amina: Person) -> None:
    sent = amina.sends_photo(photo())
    answer = amina.waits_for_reply(sent, BLIGHT)
    amina.writes("/forget")
    amina.waits_for(lambda said: any("deleted" in bubble.words for bubble in said))
    amina.presses(answer, "Right")
    amina.waits_for(lambda said: said_anywhere(amina, said, "too old"), "that the button is too old")
    messenger.act("press", who=amina.id, message_id=answer.id, data="v0:of:a-version-long-gone")
    settle(messenger)


def said_anywhere(person: Person, said: list[Bubble], words: str) -> bool:
    return any(words in text for text in [*person.toasts(), *(bubble.words for bubble in said)])


def test_forget_deletes_at_the_gateway_too(gateway: LeafGateway, amina: Person) -> None:
    answer = amina.waits_for_reply(amina.sends_photo(photo()), BLIGHT)
    amina.waits_for_reply(amina.sends_photo(photo()), BLIGHT)
    count = len(gateway.feedback())
    amina.presses(answer, "Right")
    amina.waits_for(lambda said: thanked(amina, said), "thanks")
    prediction = gateway.waits_for_feedback(count, verdict="correct")["prediction_id"]
    assert gateway.expert.get(f"/v1/predictions/{prediction}").status_code == 200
    amina.writes("/forget")
    amina.waits_for(lambda said: any("deleted 2 answers" in bubble.words for bubble in said))
    assert gateway.expert.get(f"/v1/predictions/{prediction}").status_code == 404
    amina.writes("/forget")
    amina.waits_for(lambda said: any("nothing to delete" in bubble.words for bubble in said))


def test_the_language_of_the_phone_and_another(messenger: Messenger) -> None:
    joao = messenger.person(2001, language="pt-BR")
    joao.writes("/start")
    joao.waits_for(lambda said: any("Olá" in bubble.words for bubble in said), "a greeting in Portuguese")
    joao.writes("/language")
    joao.presses(button(joao, "Kiswahili"), "Kiswahili")
    joao.waits_for(lambda said: any("Kiswahili" in bubble.words and not bubble.buttons for bubble in said))
    answer = joao.waits_for_reply(joao.sends_photo(photo()), "Baka Bakteria ya Muhogo")
    assert "Muhogo" in answer.words


def test_an_unknown_language_is_answered_in_english(messenger: Messenger) -> None:
    someone = messenger.person(2002, language="tlh")
    someone.writes("/help")
    someone.waits_for(lambda said: any("How it works" in bubble.words for bubble in said))


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("/start", "Hello"),
        ("/help", "For a good photo"),
        ("/classes", "Cassava Mosaic Disease"),
        ("/privacy", "/forget"),
        ("/language", "Which language"),
        ("/dance", "/help"),
        ("what is this?", "photo of one leaf"),
    ],
)
def test_words_are_answered(amina: Person, command: str, says: str) -> None:
    amina.writes(command)
    amina.waits_for(lambda said: any(says in bubble.words for bubble in said), says)
    assert len(amina.answers()) == 1


@pytest.mark.parametrize(
    "kind", ["voice", "video", "sticker", "location", "video_note", "audio", "animation", "contact"]
)
def test_what_is_no_photo_gets_a_helpful_line(amina: Person, kind: str) -> None:
    amina.sends(kind)
    (answer,) = amina.waits_for(lambda said: said)
    assert "photo of one leaf" in answer.words


def test_menus_are_there_in_every_language(messenger: Messenger) -> None:
    menus = {menu["language"]: [one["command"] for one in menu["commands"]] for menu in messenger.state()["menus"]}
    assert set(menus) >= {"", "fr", "pt", "sw", "ha", "yo"}
    assert all(set(menu) == {"start", "help", "language", "classes", "privacy", "forget"} for menu in menus.values())


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"\xff\xd8\xff\xe0 not much of a photo", "leaf.jpg", "damaged"),
        (b"%PDF-1.7 a report", "report.pdf", "kind of file"),
        (encode(picture(20, 20)), "tiny.jpg", "too small"),
        (encode(picture(1600, 100)), "strip.jpg", "long and narrow"),
    ],
    ids=["broken", "pdf", "tiny", "strip"],
)
def test_a_refused_file_gets_its_reason(amina: Person, data: bytes, name: str, says: str) -> None:
    answer = amina.waits_for_reply(amina.sends_document(data, name, "image/jpeg"), says)
    assert not answer.buttons
    assert len(amina.answers()) == 1


def test_a_file_above_what_bots_may_fetch(messenger: Messenger, amina: Person) -> None:
    since = messenger.now()
    sent = amina.sends_document(b"much", "huge.tif", "image/tiff", size=25 * 2**20)
    assert "20 MB" in amina.waits_for_reply(sent, "Send it as a photo").words
    assert messenger.calls("getFile", "file", since=since) == []


def test_a_deleted_status_message_brings_the_answer_anew(messenger: Messenger, amina: Person) -> None:
    sent = amina.sends_photo(photo("sleep=1.5"))
    status = amina.waits_for_reply(sent)
    amina.deletes(status.id)
    answer = amina.waits_for_reply(sent, BLIGHT)
    assert answer.id != status.id
    settle(messenger)
    assert len(amina.answers()) == 1


def test_a_deleted_photo_is_answered_all_the_same(amina: Person) -> None:
    sent = amina.sends_photo(photo("sleep=1"))
    amina.waits_for(lambda said: said, "a status")
    amina.deletes(sent)
    amina.waits_for(lambda said: any(BLIGHT in bubble.words for bubble in said))


def test_a_repeated_update_is_answered_once(messenger: Messenger, amina: Person) -> None:
    messenger.order({"kind": "repeat", "methods": ["getUpdates"]})
    sent = amina.sends_photo(photo())
    amina.waits_for_reply(sent, BLIGHT)
    amina.writes("/privacy")
    amina.waits_for(lambda said: len(said) == 2)
    amina.writes("/help")
    amina.waits_for(lambda said: len(said) == 3)
    settle(messenger)
    messenger.order()
    assert messenger.happened() == {}
    assert len(amina.answers()) == 3


def test_who_blocks_the_bot_harms_nobody(messenger: Messenger, amina: Person) -> None:
    away = messenger.person(2003)
    away.sends_photo(photo("sleep=1"))
    away.waits_for(lambda said: said, "a status")
    messenger.act("block", who=away.id)
    assert amina.waits_for_reply(amina.sends_photo(photo()), BLIGHT).buttons


def test_chats_do_not_wait_for_each_other(messenger: Messenger) -> None:
    people = [messenger.person(2100 + n) for n in range(4)]
    slow = people[0].sends_photo(photo("sleep=2"))
    began = time.monotonic()
    for person in people[1:]:
        person.writes("/help")
    for person in people[1:]:
        person.waits_for(lambda said: said)
    assert time.monotonic() - began < 1.5
    people[0].waits_for_reply(slow, BLIGHT)


def settle(messenger: Messenger, quiet_s: float = 0.4) -> None:
    """Wait until the bot has called nothing for a moment."""
    since = messenger.now()
    time.sleep(quiet_s)
    while messenger.calls(since=since):
        since = messenger.now()
        time.sleep(quiet_s)


def test_it_can_be_watched(bot: BotProcess) -> None:
    health = bot.get("/health")
    assert (health.status_code, bot.get("/metrics").status_code) == (200, 200)
