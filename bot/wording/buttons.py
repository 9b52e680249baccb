"""Buttons below messages, and what a pressed one says.

Callback data are `action:answer:choice`, at most 64 bytes. A button carries all that its press means, so that nothing has to
be remembered between two of them but the answer itself.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot.wording.catalogue import LANGUAGES, Catalogue, Texts

Action = Literal["correct", "wrong", "unsure", "class", "keep", "discard", "language"]
NONE_OF_THESE = "none"
_DATA = re.compile(rf"({'|'.join(get_args(Action))}):([\w-]{{0,32}}):([a-z0-9-]{{0,8}})", re.ASCII)


@dataclass(frozen=True)
class Pressed:
    """A pressed button.

    Attributes:
        action: `class`: what it is instead; `keep`, `discard`: whether the photo may be kept, given that class.
        answer_id: of the stored answer; empty where it is about none.
        choice: index of a class or NONE_OF_THESE for `class`, `keep` and `discard`; a language's tag; else empty.
    """

    action: Action
    answer_id: str = ""
    choice: str = ""

    @property
    def data(self) -> str:
        """As callback data."""
        return f"{self.action}:{self.answer_id}:{self.choice}"

    @property
    def class_index(self) -> int | None:
        """The chosen class; None where it is none of them."""
        return int(self.choice) if self.choice.isdecimal() else None


def parse(data: str) -> Pressed | None:
    """What callback data say; None where they are not this bot's, e.g. of a version long gone."""
    found = _DATA.fullmatch(data)
    return Pressed(cast(Action, found[1]), found[2], found[3]) if found else None


def verdict_buttons(answer_id: str, names_disease: bool, texts: Texts) -> InlineKeyboardMarkup:
    """Below an answer: was it right? Where it named no disease there is nothing to be right: what is it?"""
    unsure = _button("🤔 " + texts.say_as("button", "I do not know"), Pressed("unsure", answer_id))
    if not names_disease:
        known = _button("💡 " + texts.say_as("button", "I know what it is"), Pressed("wrong", answer_id))
        return InlineKeyboardMarkup([[known], [unsure]])
    right = _button("✅ " + texts.say_as("button", "Right"), Pressed("correct", answer_id))
    wrong = _button("❌ " + texts.say_as("button", "Wrong"), Pressed("wrong", answer_id))
    return InlineKeyboardMarkup([[right, wrong], [unsure]])


def class_buttons(answer_id: str, names: Sequence[str], texts: Texts) -> InlineKeyboardMarkup:
    """What is it instead? `names` as in the answer stored, one button a row."""
    rows = [[_button(name, Pressed("class", answer_id, str(index)))] for index, name in enumerate(names)]
    none = _button(texts.say_as("button", "None of these"), Pressed("class", answer_id, NONE_OF_THESE))
    return InlineKeyboardMarkup([*rows, [none]])


def consent_buttons(answer_id: str, choice: str, texts: Texts) -> InlineKeyboardMarkup:
    """May we keep the photo? `choice` is that of the pressed class button."""
    keep = _button(texts.say_as("button", "Yes, keep it"), Pressed("keep", answer_id, choice))
    discard = _button(texts.say_as("button", "No, do not keep it"), Pressed("discard", answer_id, choice))
    return InlineKeyboardMarkup([[keep], [discard]])


def language_buttons(texts: Texts) -> InlineKeyboardMarkup:
    """All languages by their own names, the current one ticked."""
    buttons = [
        _button(("✓ " if tag == texts.language else "") + Catalogue.name(tag), Pressed("language", choice=tag))
        for tag in LANGUAGES
    ]
    return InlineKeyboardMarkup([buttons[start : start + 2] for start in range(0, len(buttons), 2)])


def _button(text: str, pressed: Pressed) -> InlineKeyboardButton:
    return InlineKeyboardButton(text, callback_data=pressed.data)
