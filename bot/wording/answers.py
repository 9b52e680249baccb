"""From the gateway's reply to the message for a person: how sure, what, what else, what to do."""

from collections.abc import Collection, Sequence
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
    if reply["decision"] == "accepted":
        parts, extras = _likely(reply, texts, languages, overlay(reply) is not None)
    elif reply["decision"] == "uncertain":
        parts, extras = _unsure(reply, texts)
    else:
        parts, extras = _unknown(reply, texts)
    used = _photos_used(reply, texts)
    closing = [_crop_line(crop, texts)] if crop else []
    whole = "\n\n".join([*parts, *extras, *used, *closing])
    if units(whole) <= CAPTION_UNITS:
        return Words(whole, whole)
    shorter = "\n\n".join([*parts, *used, *closing])
    return Words(whole, shorter if units(shorter) <= CAPTION_UNITS else None)


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


def _likely(
    reply: client.Answer, texts: Texts, languages: Collection[str] | None, marked: bool
) -> tuple[list[str], list[str]]:
    ranked = _ranked(reply)
    head = ["🟢 " + bold(texts.say("Likely: {name}", name=ranked[0][0]))]
    if len(ranked) > 1:
        head.append(texts.say("It could also be this, but less likely: {name}.", name=ranked[1][0]))
    parts = ["\n".join(head), _bars(ranked, texts)]
    advice = without_doses(reply["advice"] or "")
    if advice:
        told = [bold(texts.say("What to do"))]
        if languages is not None and texts.language not in languages:
            told.append(italic(texts.say("This advice is not there in your language yet.")))
        told.append(escape(advice, quote=False))
        if reply["advice_source"]:
            told.append(italic(texts.say("Source:") + " " + cited(reply["advice_source"])))
        parts.append("\n".join(told))
    else:
        parts.append(texts.say("Ask your extension officer what to do."))
    parts.append(
        texts.say("A computer said this. It can be wrong. Ask your extension officer before you treat a whole field.")
    )
    extras = [texts.say("The purple colour on the photo shows where I saw the signs.")] if marked else []
    return parts, [*extras, *quality_tips(reply["quality"], texts)]


def _unsure(reply: client.Answer, texts: Texts) -> tuple[list[str], list[str]]:
    ranked = _ranked(reply)
    candidates = reply["prediction_set"][:_MOST_CANDIDATES]
    head = ["🟡 " + bold(texts.say_as("decision", "Not sure"))]
    if len(candidates) > 1:
        *names, last = candidates
        head.append(texts.say("It could be {names} or {last}.", names=", ".join(names), last=last))
    else:
        head.append(texts.say("It could be {name}, but the signs are not clear.", name=ranked[0][0]))
    next_step = texts.say("Until we know, do not treat or pull out any plant. Ask your extension officer.")
    better = texts.say("A better photo helps me. Send photos of other leaves of the same plant too.")
    return ["\n".join(head), _bars(ranked, texts), better, _tips_for(reply, texts), next_step], []


def _unknown(reply: client.Answer, texts: Texts) -> tuple[list[str], list[str]]:
    head = [
        "⚪ " + bold(texts.say_as("decision", "I cannot tell")),
        texts.say(
            "This looks like nothing that I know. Maybe it is not a leaf, or too little of the leaf can be seen."
        ),
    ]
    next_step = texts.say("If the plant is sick and I still cannot tell, show it to your extension officer.")
    return ["\n".join(head), _tips_for(reply, texts), next_step], []


def _tips_for(reply: client.Answer, texts: Texts) -> str:
    """What was wrong with this photo, and how to take a good one."""
    return "\n\n".join([*quality_tips(reply["quality"], texts), tips(texts)])


def _ranked(reply: client.Answer) -> list[tuple[str, float]]:
    return sorted(reply["probabilities"].items(), key=lambda item: -item[1])


def _bars(ranked: Sequence[tuple[str, float]], texts: Texts) -> str:
    lines = []
    for name, share in ranked[:2]:
        filled = min(_BAR_CELLS, max(0, round(share * _BAR_CELLS)))
        bar = "▓" * filled + "░" * (_BAR_CELLS - filled)
        lines.append(f"{bar} {texts.percent(share)} {escape(name, quote=False)}")
    return "\n".join(lines)


def _photos_used(reply: client.Prediction | client.Diagnosis, texts: Texts) -> list[str]:
    if "photos" not in reply:
        return []
    diagnosis = cast(client.Diagnosis, reply)
    count, used = len(diagnosis["photos"]), diagnosis["photos_used"]
    if used == count or used == 0:
        return [texts.say_count("I looked at {count} photo.", "I looked at {count} photos.", count)]
    return [texts.say("I looked at {count} photos. {used} of them helped me.", count=count, used=used)]


def _crop_line(crop: str, texts: Texts) -> str:
    return italic(texts.say("I only know this crop: {crop}.", crop=crop))
