"""The catalogues: complete in every language, and the same set of texts as in the code."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from bot.wording.advice import without_doses
from bot.wording.catalogue import LANGUAGES, LOCALES, Catalogue

BOT = Path(__file__).parents[2] / "bot"
KEYWORDS: dict[str, Any] = {"say": None, "say_as": ((1, "c"), 2), "say_count": (1, 2), "noted": None}
UNREVIEWED = "No native speaker has reviewed these texts yet."
EVERY_COUNT = (*range(30), 100, 101, 1000, 1_000_000)

Text = tuple[str | None, str | tuple[str, ...]]


def catalog(language: str) -> Catalog:
    with (LOCALES / language / "LC_MESSAGES" / "bot.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def messages(language: str) -> list[Message]:
    return [message for message in catalog(language) if message.id]


def key(message: Message) -> Text:
    return message.context, message.id


def forms(texts: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def said_in_code() -> Iterator[Text]:
    """Every text in the code, also where it stands inside another expression."""
    for file in BOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            literals = [
                part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
            if name in ("say", "noted") and literals:
                yield None, literals[0]
            elif name == "say_as":
                yield literals[0], literals[1]
            elif name == "say_count":
                yield None, (literals[0], literals[1])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_text_of_the_code_and_no_other(language: str) -> None:
    assert {key(message) for message in messages(language)} == set(said_in_code())


def test_the_extraction_that_translators_use_finds_every_text() -> None:
    extracted = extract_from_dir(BOT / "wording", [("**.py", "python")], keywords=KEYWORDS)
    assert {(context, text) for _, _, text, _, context in extracted} == set(said_in_code())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_and_plural_form_is_translated(language: str) -> None:
    plurals = catalog(language).num_plurals
    for message in messages(language):
        wanted = plurals if isinstance(message.id, tuple) else 1
        said = forms(message.string)
        assert len(said) == wanted, message.id
        assert all(form.strip() for form in said), message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_those_of_the_english_text(language: str) -> None:
    for message in messages(language):
        ids, said = forms(message.id), forms(message.string)
        for number, form in enumerate(said):
            allowed = [placeholders(text) for text in (ids if number == 0 else ids[-1:])]
            assert placeholders(form) in allowed, (message.id, form)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_form_without_its_count_is_said_of_one_thing_only(language: str) -> None:
    texts = Catalogue.load().texts(language)
    for message in messages(language):
        if isinstance(message.id, tuple):
            for count in EVERY_COUNT:
                said = texts.say_count(message.id[0], message.id[1], count)
                assert str(count) in said or count in (0, 1), (message.id, count)


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_hold_no_markup_no_dose_and_no_stray_space(language: str) -> None:
    for message in messages(language):
        for form in forms(message.string):
            assert not set("<>&") & set(form), form
            assert without_doses(form) == form
            assert form == form.strip() and "  " not in form


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_translations_differ_from_english(language: str) -> None:
    same = [message.id for message in messages(language) if forms(message.string) == forms(message.id)]
    assert same == []


def test_english_says_its_ids() -> None:
    assert all(forms(message.string) == forms(message.id) for message in messages("en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_unreviewed_texts_are_marked_in_text_and_header(language: str) -> None:
    read = catalog(language)
    unreviewed = any(message.fuzzy for message in read if message.id)
    assert read.fuzzy == unreviewed
    assert (UNREVIEWED in read.header_comment) == unreviewed
    if language == "en":
        assert not unreviewed


def test_texts_that_nobody_has_reviewed_are_used() -> None:
    fuzzy = next(
        message for message in messages("sw") if message.fuzzy and isinstance(message.id, str) and not message.context
    )
    assert Catalogue.load().texts("sw").say(fuzzy.id, **dict.fromkeys(placeholders(fuzzy.id), "x")) != fuzzy.id


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("sw", "sw"),
        ("pt-BR", "pt"),
        ("pt_PT", "pt"),
        ("FR", "fr"),
        ("de", "en"),
        ("", "en"),
        (None, "en"),
        ("yo-NG", "yo"),
    ],
)
def test_the_language_is_found_by_its_tag(tag: str | None, language: str) -> None:
    assert Catalogue.load().texts(tag).language == language


def test_languages_have_their_own_names() -> None:
    names = [Catalogue.name(language) for language in LANGUAGES]
    assert names == ["English", "Français", "Português", "Kiswahili", "Hausa", "Èdè Yorùbá"]


def test_plurals_follow_the_language() -> None:
    catalogue = Catalogue.load()
    one, many = "I looked at {count} photo.", "I looked at {count} photos."
    assert [catalogue.texts("en").say_count(one, many, count) for count in (0, 1, 2)] == [
        *("I looked at 0 photos.", "I looked at 1 photo.", "I looked at 2 photos.")
    ]
    assert [catalogue.texts("fr").say_count(one, many, count) for count in (0, 1, 2)] == [
        *("J’ai regardé 0 photo.", "J’ai regardé 1 photo.", "J’ai regardé 2 photos.")
    ]


def test_values_are_escaped() -> None:
    assert Catalogue.load().texts("en").say("Likely: {name}", name="<b>A & B") == "Likely: &lt;b&gt;A &amp; B"


@pytest.mark.parametrize(("share", "told"), [(0.0, "1%"), (0.004, "1%"), (0.126, "13%"), (0.996, "99%"), (1.0, "99%")])
def test_nothing_is_impossible_and_nothing_certain(share: float, told: str) -> None:
    assert Catalogue.load().texts("en").percent(share) == told
