"""The longer texts behind commands."""

from collections.abc import Sequence
from html import escape
from typing import Any

from bot.wording.catalogue import Texts, noted
from bot.wording.markup import bold, listed

_QUALITY = {
    "too_dark": noted("The photo is very dark. Take it in daylight, with the light on the leaf."),
    "too_bright": noted("The photo is too bright. Turn your back to the sun, or shade the leaf with your body."),
    "blurred": noted("The photo is blurred. Hold the phone still, a hand's length away, and tap on the leaf."),
    "small": noted("The photo is small. Go closer to the leaf, or send the photo as it came from the camera."),
}


def start(texts: Texts, crop: str | None) -> str:
    """The welcome; `crop` is the plant that the release knows."""
    lines = ["🌿 " + bold(texts.say("Hello! I help you find out what is wrong with your plant."))]
    if crop:
        lines.append(texts.say("I only know this crop: {crop}.", crop=crop))
    lines.append(texts.say("Send me a photo of one leaf. I tell you which disease is likely and what you can do."))
    return "\n\n".join(
        [
            *lines,
            tips(texts),
            texts.say("More: {help}. Change the language: {language}.", help="/help", language="/language"),
        ]
    )


def help_page(texts: Texts, *, photos: int, minutes: int) -> str:
    """How to use the bot; `photos` may be sent in `minutes`."""
    how = [
        texts.say("Send a photo of one leaf, and wait a moment for my answer."),
        texts.say(
            "Better: send 3 to 10 photos of the same plant together, as one album. I answer once for all of them."
        ),
        texts.say("In a group: reply to a photo of a leaf and write my name with @."),
        texts.say("You can send {photos} photos in {minutes} minutes.", photos=photos, minutes=minutes),
    ]
    commands = "\n".join(f"/{name} – {told}" for name, told in menu(texts))
    return "\n\n".join(
        [
            bold(texts.say("How it works")) + "\n" + listed(how),
            tips(texts),
            bold(texts.say("Commands")) + "\n" + commands,
        ]
    )


def tips(texts: Texts) -> str:
    """How to take a good photo."""
    told = [
        texts.say("Go close: one leaf fills the picture."),
        texts.say("Daylight on the leaf, but no hard sun and no dark shadow."),
        texts.say("Tap on the leaf and hold still until it is sharp."),
        texts.say("Choose a leaf that shows the signs, not a dry or rotten one."),
    ]
    return "📷 " + bold(texts.say("For a good photo")) + "\n" + listed(told)


def quality_tips(quality: Sequence[str], texts: Texts) -> list[str]:
    """One paragraph, a line for each thing that makes a photo hard to judge; none where nothing does."""
    lines = ["⚠️ " + texts.say(_QUALITY[hint]) for hint in quality if hint in _QUALITY]
    return ["\n".join(lines)] if lines else []


def privacy(texts: Texts) -> str:
    """What becomes of photos and answers."""
    told = [
        texts.say("I look at your photo to answer you. Then it is gone, unless you allow me to keep it."),
        texts.say(
            "I ask you before a photo is kept. A kept photo helps to make the answers better. Place and phone data are removed."
        ),
        texts.say("I remember my answers without your name and without your number."),
        texts.say(
            "{forget} deletes everything that I know about you, also photos that you let me keep.", forget="/forget"
        ),
        texts.say("Messages in this chat stay with Telegram until you delete them."),
    ]
    return "🔒 " + bold(texts.say("Your photos belong to you")) + "\n" + listed(told)


def classes(reply: dict[str, Any], texts: Texts) -> str:
    """What the release can tell apart, from the answer of `/v1/classes`."""
    names = [escape(str(told["name"]), quote=False) for told in reply["classes"]]
    lines = [bold(texts.say("This is what I can recognise"))]
    if reply.get("crop"):
        lines.append(texts.say("I only know this crop: {crop}.", crop=reply["crop"]))
    return "\n".join([*lines, listed(names)])


def menu(texts: Texts) -> list[tuple[str, str]]:
    """Commands and what they do, in plain text, for Telegram's menu."""
    return [
        ("start", texts.say_as("menu", "Begin")),
        ("help", texts.say_as("menu", "How it works, and how to take a good photo")),
        ("language", texts.say_as("menu", "Choose your language")),
        ("classes", texts.say_as("menu", "What I can recognise")),
        ("privacy", texts.say_as("menu", "What happens to your photos")),
        ("forget", texts.say_as("menu", "Delete everything about me")),
    ]
