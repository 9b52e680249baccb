"""End to end with the demo release: a photo in, a diagnosis out; docs/conversations.md is what people see."""

import io
import re
from collections.abc import Iterator

import httpx2
import pytest
from bot_process import running_bot
from demo_stack import Stack, running_stack
from messenger import Messenger
from PIL import Image
from processes import ROOT
from transcripts import photographs
from transcripts.conversations import CONVERSATIONS
from transcripts.page import language, section
from transcripts.playing import played

PAGE = (ROOT / "docs" / "conversations.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def bot(stack: Stack, messenger: Messenger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with running_bot(messenger, stack.url, tmp_path_factory.mktemp("bot"), album_wait_s=1.5):
        yield


def test_a_photo_in_a_diagnosis_out(stack: Stack, messenger: Messenger) -> None:
    image = photographs.close()
    reply = httpx2.post(f"{stack.url}/v1/predict", content=image, timeout=30, headers={"Accept-Language": "fr"}).json()
    person = messenger.person(70_001, language="fr")
    answer = person.waits_for_reply(person.sends_photo(image), "Probable : ", 30)
    assert f"Probable : {reply['class_name']}" in answer.words
    assert f"{reply['confidence'] * 100:.0f}\N{NO-BREAK SPACE}%" in answer.words
    assert reply["advice"][:60] in answer.words
    with Image.open(io.BytesIO(messenger.file(str(answer.photo)))) as marked:
        assert marked.size == Image.open(io.BytesIO(image)).size
    assert len(person.answers()) == 1


def test_what_is_no_leaf_gets_no_disease(messenger: Messenger) -> None:
    person = messenger.person(70_002)
    answer = person.waits_for_reply(person.sends_photo(photographs.no_leaf()), "I cannot tell", 30)
    assert not re.search("Blight|Mosaic|Mottle|Streak", answer.words)


def test_the_page_is_what_people_see(messenger: Messenger) -> None:
    first = CONVERSATIONS[0]
    assert without_figures(section(1, first, played(messenger, 1, first))) in without_figures(PAGE), "make transcripts"


def without_figures(text: str) -> str:
    """Other processors may round another way."""
    return re.sub(r"[▓░]+ *\d+ ?%", "…", text)


def test_the_page_has_ten_conversations_in_four_languages() -> None:
    assert re.findall(r"^## (\d+)\. ", PAGE, re.MULTILINE) == [str(number) for number in range(1, 11)]
    for number, conversation in enumerate(CONVERSATIONS, 1):
        assert f"## {number}. {conversation.title} ({language(conversation)})" in PAGE
    assert len({language(conversation) for conversation in CONVERSATIONS}) >= 4
