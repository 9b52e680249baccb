"""Buttons: what they say, and that their data come back whole within Telegram's limit."""

import pytest
from telegram import InlineKeyboardMarkup

from bot.wording.buttons import (
    NONE_OF_THESE,
    Pressed,
    class_buttons,
    consent_buttons,
    language_buttons,
    parse,
    verdict_buttons,
)
from bot.wording.catalogue import LANGUAGES, Catalogue

CATALOGUE = Catalogue.load()
LONGEST_ID = "a" * 32
MOST_BYTES = 64


def pressed(markup: InlineKeyboardMarkup) -> list[Pressed]:
    data = [str(button.callback_data) for row in markup.inline_keyboard for button in row]
    assert all(1 <= len(one.encode()) <= MOST_BYTES for one in data)
    parsed = [parse(one) for one in data]
    assert [one.data for one in parsed if one] == data
    return [one for one in parsed if one]


def words(markup: InlineKeyboardMarkup) -> list[str]:
    return [button.text for row in markup.inline_keyboard for button in row]


@pytest.mark.parametrize("language", LANGUAGES)
def test_buttons_carry_what_a_press_means(language: str) -> None:
    texts = CATALOGUE.texts(language)
    assert [one.action for one in pressed(verdict_buttons(LONGEST_ID, True, texts))] == ["correct", "wrong", "unsure"]
    assert [one.action for one in pressed(verdict_buttons(LONGEST_ID, False, texts))] == ["wrong", "unsure"]
    names = [f"Class <{number}> & more" for number in range(38)]
    chosen = class_buttons(LONGEST_ID, names, texts)
    assert words(chosen)[:-1] == names  # buttons are plain text
    assert [one.class_index for one in pressed(chosen)] == [*range(38), None]
    for choice in ("37", NONE_OF_THESE):
        consent = pressed(consent_buttons(LONGEST_ID, choice, texts))
        assert [(one.action, one.answer_id, one.choice) for one in consent] == [
            ("keep", LONGEST_ID, choice),
            ("discard", LONGEST_ID, choice),
        ]
    everything = (
        verdict_buttons(LONGEST_ID, True, texts),
        verdict_buttons(LONGEST_ID, False, texts),
        chosen,
        consent_buttons(LONGEST_ID, "0", texts),
    )
    assert all(len(set(words(markup))) == len(words(markup)) for markup in everything)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_button_that_the_question_names_is_there(language: str) -> None:
    texts = CATALOGUE.texts(language)
    question = texts.say("What is it? If you do not know, choose “None of these”.")
    assert words(class_buttons("a", ["Rust"], texts))[-1] in question


def test_languages_have_their_own_names_and_the_current_one_is_ticked() -> None:
    markup = language_buttons(CATALOGUE.texts("sw"))
    assert [one.choice for one in pressed(markup)] == list(LANGUAGES)
    assert words(markup) == ["English", "Français", "Português", "✓ Kiswahili", "Hausa", "Èdè Yorùbá"]


@pytest.mark.parametrize(
    "data", ["", "correct", "correct:a", "delete:a:", "correct:a:b:c", "class:ü:1", "class:a:" + "1" * 9, "class:a:1\n"]
)
def test_foreign_data_are_nobodys(data: str) -> None:
    assert parse(data) is None
