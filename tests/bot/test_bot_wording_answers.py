"""What a person reads: answers, pages, short lines and refusals, in every language."""

import inspect
import json
from itertools import product
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
from demo_release import ALL_HINTS, CLASSES, CROP, diagnosis, photo, prediction, spoken
from demo_release import LANGUAGES as SPOKEN

import client
from bot.wording import lines, pages
from bot.wording.advice import cited, without_doses
from bot.wording.answers import CAPTION_UNITS, answer, names_disease, overlay
from bot.wording.catalogue import LANGUAGES, Catalogue, Texts
from bot.wording.markup import units
from bot.wording.refusals import _WORDS, refusal

CATALOGUE = Catalogue.load()
ENGLISH = CATALOGUE.texts("en")
LONGEST_MESSAGE = 4096
LONGEST_TOAST = 200
TAGS = {"message", "b", "i", "a"}
IN_EVERY_LANGUAGE = pytest.mark.parametrize("texts", [CATALOGUE.texts(tag) for tag in LANGUAGES], ids=LANGUAGES)
DECISIONS: tuple[client.Decision, ...] = get_args(client.Decision)


def read(html: str) -> str:
    """What is read of a message; fails where Telegram would refuse it."""
    tree = ElementTree.fromstring(f"<message>{html}</message>")
    assert {node.tag for node in tree.iter()} <= TAGS
    assert all(node.get("href", "").startswith("https://") for node in tree.iter("a"))
    told = "".join(tree.itertext())
    assert "{" not in told and "}" not in told
    assert 0 < units(html) == len(told.encode("utf-16-le")) // 2 <= LONGEST_MESSAGE
    return told


def crop(texts: Texts) -> str:
    return CROP[spoken(texts.language)]


@IN_EVERY_LANGUAGE
def test_answers_are_telegrams_html_and_fit_under_a_picture(texts: Texts) -> None:
    for decision, likeliest, quality in product(DECISIONS, range(len(CLASSES)), ((), ALL_HINTS, ("too_dark", "small"))):
        reply = prediction(texts.language, decision, likeliest=likeliest, quality=quality)
        plant = diagnosis(reply, [photo(index, reply) for index in range(9)] + [photo(9, None)])
        for words in (answer(reply, crop(texts), texts, SPOKEN), answer(plant, crop(texts), texts, SPOKEN)):
            read(words.html)
            assert words.caption is not None, (decision, likeliest, quality)
            read(words.caption)
            assert units(words.caption) <= CAPTION_UNITS


@IN_EVERY_LANGUAGE
def test_likely_names_the_disease_the_runner_up_and_the_advice_with_its_source(texts: Texts) -> None:
    reply = prediction(texts.language)
    words = answer(reply, crop(texts), texts, SPOKEN)
    told = read(words.html)
    first, second = reply["prediction_set"][0], CLASSES[4]["names"][spoken(texts.language)]
    assert texts.say("Likely: {name}", name=first) in told.splitlines()[0]
    assert told.index(first) < told.index(second)
    assert [line.split(" ", 1)[0].count("▓") for line in told.splitlines() if "░" in line] == [8, 1]
    assert texts.percent(0.81) in told and texts.percent(0.13) in told
    assert str(reply["advice"]) in told and "Legg et al. (2015)" in told
    assert 'href="https://doi.org/10.1016/bs.aivir.2014.10.001"' in words.html
    assert crop(texts) in told
    assert names_disease(reply)


@IN_EVERY_LANGUAGE
def test_not_sure_gives_tips_and_candidates_but_no_advice_on_one(texts: Texts) -> None:
    reply = prediction(texts.language, "uncertain", quality=("blurred",))
    told = read(answer(reply, crop(texts), texts, SPOKEN).html)
    assert texts.say_as("decision", "Not sure") in told
    assert [name for name in reply["probabilities"] if name in told] == sorted(
        reply["prediction_set"], key=list(reply["probabilities"]).index
    )
    assert str(reply["advice"]) not in told and "Legg" not in told
    assert read(pages.tips(texts)) in told
    assert "⚠️" in told
    assert not names_disease(reply)


@IN_EVERY_LANGUAGE
def test_cannot_tell_gives_tips_and_names_no_disease(texts: Texts) -> None:
    reply = prediction(texts.language, "rejected", quality=("too_dark", "small"))
    told = read(answer(reply, crop(texts), texts, SPOKEN).html)
    assert texts.say_as("decision", "I cannot tell") in told
    assert not [name for name in reply["probabilities"] if name in told]
    assert "%" not in told
    assert told.count("⚠️") == 2 and read(pages.tips(texts)) in told
    assert not names_disease(reply)


def test_of_many_candidates_three_are_named_and_of_one_the_runner_up_too() -> None:
    for plausible, named in ((5, 3), (1, 2)):
        told = read(answer(prediction("en", "uncertain", plausible=plausible), None, ENGLISH).html)
        assert sum(entry["names"]["en"] in told for entry in CLASSES) == named


def test_only_the_caption_speaks_of_the_colour_and_only_where_there_is_one() -> None:
    words = answer(prediction("en"), "cassava", ENGLISH)
    assert "purple" in str(words.caption) and "purple" not in words.html
    assert "purple" not in str(answer(prediction("en", explained=False), "cassava", ENGLISH).caption)


def test_a_caption_leaves_out_hints_before_it_gives_up() -> None:
    reply = prediction("en", quality=ALL_HINTS)
    for length, hinted in ((100, True), (500, False)):
        reply["advice"] = "é" * length
        words = answer(reply, "cassava", ENGLISH)
        assert "⚠️" in words.html and ("⚠️" in str(words.caption)) == hinted
    reply["advice"] = "😀" * 500  # two units each
    words = answer(reply, "cassava", ENGLISH)
    assert words.caption is None and "😀" in words.html


def test_advice_in_another_language_says_so() -> None:
    note = "Ushauri huu bado haupo katika lugha yako."
    swahili = CATALOGUE.texts("sw")
    assert note in answer(prediction("sw"), "cassava", swahili, SPOKEN).html
    assert note not in answer(prediction("sw"), "cassava", swahili, ["en", "sw"]).html
    assert note not in answer(prediction("sw"), "cassava", swahili).html


def test_what_comes_from_outside_is_escaped() -> None:
    reply = prediction("en")
    reply["probabilities"] = {"<b>Rust & smut": 0.8, "A<B": 0.2}
    reply["advice"], reply["advice_source"] = "If x < 3 & y > 4: <burn>.", 'A & B, https://example.org/?a=1&b="<'
    told = read(answer(reply, "<maize>", ENGLISH).html)
    assert "<b>Rust & smut" in told and "A<B" in told and "If x < 3 & y > 4: <burn>." in told and "<maize>" in told
    reply["decision"] = "uncertain"
    assert "<b>Rust & smut" in read(answer(reply, None, ENGLISH).html)


def test_without_advice_the_person_is_sent_to_somebody_who_knows() -> None:
    reply = prediction("en")
    reply["advice"] = reply["advice_source"] = None
    assert "Ask your extension officer what to do." in answer(reply, None, ENGLISH).html


@pytest.mark.parametrize(
    ("advice", "left"),
    [
        ("Pull it out. Mix 20 ml in 15 litres of water. Burn it.", "Pull it out. Burn it."),
        ("Apply 2.5 kg/ha.", ""),
        ("Weka lita 2 za dawa. Ng’oa mmea.", "Ng’oa mmea."),
        ("Use 2 tablespoons! Wait 3 weeks.", "Wait 3 weeks."),
        (
            "Plant 1 m apart; 50 % of plants recover within 2 months.",
            "Plant 1 m apart; 50 % of plants recover within 2 months.",
        ),
    ],
)
def test_a_dose_is_never_passed_on(advice: str, left: str) -> None:
    assert without_doses(advice) == left


def test_the_demo_releases_advice_is_passed_on_whole() -> None:
    assert all(without_doses(text) == text for entry in CLASSES for text in entry["advice"].values())


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("FAO (2013), Save and Grow, https://www.fao.org/x.pdf", '<a href="https://www.fao.org/x.pdf">FAO (2013)</a>'),
        (
            "Lozano (1986), A & B; CABI, https://cabi.org",
            'Lozano (1986), A &amp; B; <a href="https://cabi.org">CABI</a>',
        ),
        ("https://cabi.org", "https://cabi.org"),
    ],
)
def test_sources_become_links(source: str, html: str) -> None:
    assert cited(source) == html


def test_a_diagnosis_says_how_many_photos_it_rests_on() -> None:
    one = prediction("en")
    for photos, told in (
        ([photo(0, one)], "I looked at 1 photo."),
        ([photo(0, one), photo(1, one)], "I looked at 2 photos."),
        ([photo(0, one), photo(1, one, used=False), photo(2, None)], "I looked at 3 photos. 1 of them helped me."),
    ):
        assert told in read(answer(diagnosis(one, photos), None, ENGLISH).html)


def test_the_photo_to_mark_is_the_surest_one_that_is_used() -> None:
    plain, unsure, sure = prediction("en", explained=False), prediction("en", "uncertain"), prediction("en")
    assert unsure["explanation"] and sure["explanation"]
    unsure["explanation"]["overlay_png"], sure["explanation"]["overlay_png"] = "dW5zdXJl", "c3VyZQ=="
    photos = [photo(0, plain), photo(1, unsure), photo(2, None), photo(3, sure), photo(4, sure, used=False)]
    assert overlay(diagnosis(sure, photos)) == (3, "c3VyZQ==")
    assert overlay(diagnosis(sure, photos[:3])) == (1, "dW5zdXJl")
    assert overlay(diagnosis(sure, photos[:1])) is None
    assert overlay(sure) == (0, "c3VyZQ==")
    assert overlay(plain) is None


@IN_EVERY_LANGUAGE
def test_pages_are_telegrams_html(texts: Texts) -> None:
    names = [entry["names"][spoken(texts.language)] for entry in CLASSES]
    told = read(pages.classes({"crop": crop(texts), "classes": [{"name": name} for name in names]}, texts))
    assert all(name in told for name in names) and crop(texts) in told
    assert crop(texts) in read(pages.start(texts, crop(texts)))
    read(pages.start(texts, None))
    page = read(pages.help_page(texts, photos=20, minutes=10))
    assert "20" in page and "10" in page and read(pages.tips(texts)) in page
    assert all(f"/{command} – {about}" in page for command, about in pages.menu(texts))
    assert "/forget" in read(pages.privacy(texts))


@IN_EVERY_LANGUAGE
def test_menus_fit_telegrams_limits(texts: Texts) -> None:
    menu = pages.menu(texts)
    assert [command for command, _ in menu] == ["start", "help", "language", "classes", "privacy", "forget"]
    assert all(1 <= len(about) <= 256 for _, about in menu)


@IN_EVERY_LANGUAGE
def test_short_lines_are_telegrams_html_and_fit_a_toast(texts: Texts) -> None:
    for name, line in inspect.getmembers(lines, inspect.isfunction):
        if line.__module__ != lines.__name__:
            continue
        for values in _values(name):
            told = read(line(*values, texts))
            assert len(told) <= LONGEST_TOAST, name
            assert all(str(value) in told for value in values if isinstance(value, int) and value > 1), name


def _values(name: str) -> list[tuple[Any, ...]]:
    if name == "not_a_photo":
        return [(kind,) for kind in get_args(lines.Kind)]
    return [(0,), (1,), (2,), (7,)] if name in ("status_many", "forgotten", "too_many", "file_too_large") else [()]


@IN_EVERY_LANGUAGE
def test_every_refusal_has_words(texts: Texts) -> None:
    for kind in _WORDS:
        assert read(refusal(client.Refused(422, {"type": kind}, None), texts))


def test_refusals_of_the_service_are_no_fault_of_the_person() -> None:
    fault = refusal(client.Unreachable("nobody there"), ENGLISH)
    assert "our side" in fault
    assert refusal(client.Refused(500, {"type": "/problems/internal-error"}, None), ENGLISH) == fault
    assert refusal(client.Refused(502, {}, None), ENGLISH) == fault
    assert "in a few minutes" in refusal(client.Refused(503, {"type": "/problems/overloaded"}, 2.0), ENGLISH)


def test_photos_with_one_problem_are_refused_by_its_words() -> None:
    def refused(*kinds: str) -> str:
        photos = [{"index": number, "problem": {"type": kind}} for number, kind in enumerate(kinds)]
        body = json.loads(json.dumps({"type": "/problems/no-usable-photo", "photos": photos}))
        return refusal(client.Refused(422, body, None), ENGLISH)

    assert "too small" in refused("/problems/image-too-small", "/problems/image-too-small")
    assert "any of these photos" in refused("/problems/image-too-small", "/problems/undecodable-image")
    malformed = client.Refused(422, {"type": "/problems/no-usable-photo", "photos": [{"index": 0}]}, None)
    assert "any of these photos" in refusal(malformed, ENGLISH)
