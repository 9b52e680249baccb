"""From the gateway's reply to the message for a person: how sure, what, what else, what to do."""

from collections.abc import Collection
from dataclasses import dataclass
from html import escape
from typing import cast

import client
from bot.wording.advice import cited, without_doses
from bot.wording.catalogue import Texts
from bot.wording.markup import bold, italic, units
from bot.wording.pages import quality_tips, tips

CAPTION_UNITS = 1024
_BAR_CELLS = 10
_MOST_CANDIDATES = 3


@dataclass(frozen=True)
class Words:
    """An answer in Telegram's HTML.

    Attributes:
        html: for a message of its own.
        caption: for under a picture, at most 1024 UTF-16 units as it is read; None where what matters does not fit.
    """

    html: str
    caption: str | None


def answer(
    reply: client.Prediction | client.Diagnosis,
    crop: str | None,
    texts: Texts,
    languages: Collection[str] | None = None,
) -> Words:
    """The words for a reply.

    Args:
        crop: the plant that the release knows, as `/v1/classes` names it.
        languages: that the release speaks, as in `/v1/classes`; None: not known.
    """
    colour: list[str] = []
    hints: list[str] = []
    if reply["decision"] == "accepted":
        parts, hints = _likely(reply, texts, languages), quality_tips(reply["quality"], texts)
        if overlay(reply) is not None:
            colour.append(texts.say("The purple colour shows what I looked at most."))
    elif reply["decision"] == "uncertain":
        parts = _unsure(reply, texts)
    else:
        parts = _unknown(reply, texts)
    more = [*_photos_used(reply, texts), *hints]
    closing = [italic(texts.say("I only know this crop: {crop}.", crop=crop))] if crop else []
    return Words("\n\n".join([*parts, *more, *closing]), _caption(parts, [*colour, *more], closing))


def overlay(reply: client.Prediction | client.Diagnosis) -> tuple[int, str] | None:
    """The photo to be marked: its index in the request and the overlay (base64); None where the gateway explains none.

    Of a plant's photos it is that with a say whose own answer is surest of the plant's.
    """
    if "photos" not in reply:
        explanation = reply.get("explanation")
        return (0, explanation["overlay_png"]) if explanation else None
    diagnosis = cast(client.Diagnosis, reply)
    best: tuple[float, int, str] | None = None
    for photo in diagnosis["photos"]:
        prediction = photo.get("prediction")
        explanation = prediction.get("explanation") if prediction else None
        if prediction and explanation and photo["used"]:
            sureness = prediction["probabilities"].get(diagnosis["class_name"], 0.0)
            if best is None or sureness > best[0]:
                best = sureness, photo["index"], explanation["overlay_png"]
    return best and best[1:]


def names_disease(reply: client.Prediction | client.Diagnosis) -> bool:
    """Whether one class is named as the likely one; False where photo tips were given instead."""
    return reply["decision"] == "accepted"


def _caption(parts: list[str], optional: list[str], closing: list[str]) -> str | None:
    """As much of it as fits, the last of what is optional left out first."""
    for count in range(len(optional), -1, -1):
        caption = "\n\n".join([*parts, *optional[:count], *closing])
        if units(caption) <= CAPTION_UNITS:
            return caption
    return None


def _likely(reply: client.Answer, texts: Texts, languages: Collection[str] | None) -> list[str]:
    (name, share), *others = _ranked(reply)
    lines = ["🟢 " + bold(texts.say("Likely: {name}", name=name)), _bar(share, texts)]
    if others:
        lines += [texts.say("Less likely: {name}", name=others[0][0]), _bar(others[0][1], texts)]
    caution = texts.say(
        "A computer said this, and it can be wrong. Ask your extension officer before you act on a whole field."
    )
    return ["\n".join(lines), _advice(reply, texts, languages), caution]


def _advice(reply: client.Answer, texts: Texts, languages: Collection[str] | None) -> str:
    advice = without_doses(reply["advice"] or "")
    if not advice:
        return texts.say("Ask your extension officer what to do.")
    lines = [bold(texts.say("What to do"))]
    if languages is not None and texts.language not in languages:
        lines.append(italic(texts.say("This advice is not there in your language yet.")))
    lines.append(escape(advice, quote=False))
    if reply["advice_source"]:
        lines.append(italic(texts.say("Source:") + " " + cited(reply["advice_source"])))
    return "\n".join(lines)


def _unsure(reply: client.Answer, texts: Texts) -> list[str]:
    lines = [
        "🟡 " + bold(texts.say_as("decision", "Not sure")),
        texts.say("The signs are not clear. It could be one of these:"),
    ]
    for name, share in _ranked(reply)[: max(2, min(_MOST_CANDIDATES, len(reply["prediction_set"])))]:
        lines += [escape(name, quote=False), _bar(share, texts)]
    better = texts.say("Send me a better photo, or photos of other leaves of the same plant.")
    next_step = texts.say("Until we know, do not treat or pull out any plant. Ask your extension officer.")
    return ["\n".join(lines), better, *quality_tips(reply["quality"], texts), tips(texts), next_step]


def _unknown(reply: client.Answer, texts: Texts) -> list[str]:
    lines = [
        "⚪ " + bold(texts.say_as("decision", "I cannot tell")),
        texts.say("This looks like nothing that I know. Maybe it is not a leaf, or I see too little of the leaf."),
    ]
    better = texts.say("Send me a better photo, or photos of other leaves of the same plant.")
    next_step = texts.say("If the plant is sick and I still cannot tell, show it to your extension officer.")
    return ["\n".join(lines), better, *quality_tips(reply["quality"], texts), tips(texts), next_step]


def _ranked(reply: client.Answer) -> list[tuple[str, float]]:
    return sorted(reply["probabilities"].items(), key=lambda item: -item[1])


def _bar(share: float, texts: Texts) -> str:
    filled = round(share * _BAR_CELLS)
    return "▓" * filled + "░" * (_BAR_CELLS - filled) + " " + texts.percent(share)


def _photos_used(reply: client.Prediction | client.Diagnosis, texts: Texts) -> list[str]:
    if "photos" not in reply:
        return []
    diagnosis = cast(client.Diagnosis, reply)
    count, used = len(diagnosis["photos"]), diagnosis["photos_used"]
    if used == count or used == 0:
        return [texts.say_count("I looked at {count} photo.", "I looked at {count} photos.", count)]
    return [texts.say("I looked at {count} photos. {used} of them helped me.", count=count, used=used)]
