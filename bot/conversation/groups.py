"""What in a message is meant for the bot: in a group only what names it."""

from telegram import Bot, Message, MessageEntity, User
from telegram.constants import ChatType


def is_group(message: Message) -> bool:
    """Whether others read along."""
    return message.chat.type != ChatType.PRIVATE


def command_in(message: Message, bot: Bot) -> str | None:
    """The command at the beginning of a message, in small letters and without the slash, such as `help`.

    In a group only one that names the bot counts, as in `/help@name`.
    """
    first = message.entities[0] if message.entities else None
    if message.text is None or first is None or first.type != MessageEntity.BOT_COMMAND or first.offset != 0:
        return None
    written = message.parse_entity(first)
    name, at, whose = written[1:].partition("@")
    if (at and whose.lower() != bot.username.lower()) or (not at and is_group(message)):
        return None
    return name.lower()


def is_named(message: Message, bot: Bot) -> bool:
    """Whether text or caption mentions the bot."""
    mentions = {**message.parse_entities(_MENTIONS), **message.parse_caption_entities(_MENTIONS)}
    return any(_is(bot, entity.user, words) for entity, words in mentions.items())


def _is(bot: Bot, user: User | None, words: str) -> bool:
    return user.id == bot.id if user is not None else words.lower() == f"@{bot.username.lower()}"


_MENTIONS: list[str | None] = [MessageEntity.MENTION, MessageEntity.TEXT_MENTION]
