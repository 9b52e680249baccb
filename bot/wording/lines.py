"""Every short line."""

from typing import Literal

from bot.wording.catalogue import Catalogue, Texts, noted

Kind = Literal["text", "voice", "video", "sticker", "other"]
_NOT_A_PHOTO: dict[Kind, str] = {
    "text": noted("I only understand photos, not text. Send me a photo of one leaf."),
    "voice": noted("I cannot listen to voice messages. Send me a photo of one leaf."),
    "video": noted("I cannot watch videos. Send me a photo of one leaf."),
    "sticker": noted("That is a nice sticker! Now send me a photo of one leaf."),
    "other": noted("I only understand photos. Send me a photo of one leaf."),
}


def status_one(texts: Texts) -> str:
    """While one photo is looked at."""
    return status_many(1, texts)


def status_many(count: int, texts: Texts) -> str:
    """While an album is looked at."""
    return texts.say_count("🔍 I am looking at your leaf…", "🔍 I am looking at your {count} leaves…", count)


def busy(texts: Texts) -> str:
    """Instead of the status, while the gateway is tried again."""
    return texts.say("⏳ Very many people are asking just now. Please wait, I keep trying.")


def later(texts: Texts) -> str:
    """After the bot's patience has run out."""
    return texts.say("I could not look at your photo just now. Please send it again later.")


def failed(texts: Texts) -> str:
    """For a fault of the bot itself."""
    return texts.say("Something went wrong on our side. Please send the photo again later.")


def not_fetched(texts: Texts) -> str:
    """Where Telegram does not hand out the file."""
    return texts.say("I could not get your photo from Telegram. Please send it again.")


def file_too_large(megabytes: int, texts: Texts) -> str:
    """For a file that bots may not download."""
    return texts.say(
        "This file has more than {megabytes} MB. Send it as a photo, not as a file. Then it gets smaller.",
        megabytes=megabytes,
    )


def too_many(minutes: int, texts: Texts) -> str:
    """Once for a person who has sent too many photos."""
    return texts.say_count(
        "You have sent many photos. Please wait {count} minute, then send the next one.",
        "You have sent many photos. Please wait {count} minutes, then send the next one.",
        minutes,
    )


def not_a_photo(kind: Kind, texts: Texts) -> str:
    """For whatever is no photo."""
    return texts.say(_NOT_A_PHOTO[kind])


def group_hint(texts: Texts) -> str:
    """For a mention in a group without a photo."""
    return texts.say("In a group: reply to a photo of a leaf and write my name with @.")


def unknown_command(texts: Texts) -> str:
    """For a command that there is not."""
    return texts.say("I do not know this command. See {help}.", help="/help")


def which(texts: Texts) -> str:
    """The question after `wrong`."""
    return texts.say("What is it? If you do not know, choose “None of these”.")


def may_we_keep(texts: Texts) -> str:
    """The question after that."""
    return texts.say("May we keep this photo, so that the answers get better? Place and phone data are removed.")


def thanks(texts: Texts) -> str:
    """For feedback without a photo."""
    return texts.say("Thank you! This helps to make the answers better.")


def thanks_kept(texts: Texts) -> str:
    """For feedback with a photo."""
    return texts.say("Thank you! We keep this photo. {forget} deletes it again.", forget="/forget")


def not_saved(texts: Texts) -> str:
    """Where feedback does not get through."""
    return texts.say("I could not save this just now. Please press the button again later.")


def old_button(texts: Texts) -> str:
    """For a button whose answer is gone."""
    return texts.say("This button is too old. Send the photo again.")


def not_yours(texts: Texts) -> str:
    """In a group, for a button below somebody else's answer."""
    return texts.say("Only the person who asked can say this.")


def choose_language(texts: Texts) -> str:
    """Above the language buttons."""
    return texts.say("Which language do you want to read?")


def language_set(texts: Texts) -> str:
    """After a language was chosen, in that language."""
    return texts.say("From now on I write in {language}.", language=Catalogue.name(texts.language))


def forgotten(count: int, texts: Texts) -> str:
    """After /forget; `count` answers were deleted."""
    if not count:
        return texts.say("There was nothing to delete. I know nothing about you.")
    return texts.say_count(
        "Done. I have deleted {count} answer and everything that belongs to it.",
        "Done. I have deleted {count} answers and everything that belongs to them.",
        count,
    )


def not_forgotten(texts: Texts) -> str:
    """Where /forget does not get through."""
    return texts.say("I could not delete everything just now. Please send {forget} again later.", forget="/forget")


def not_told(texts: Texts) -> str:
    """For /classes while the gateway does not answer."""
    return texts.say("I cannot tell you this just now. Please send {classes} again later.", classes="/classes")
