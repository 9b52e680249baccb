"""From a case of the inbox to what is done about it."""

import json

from telegram import Bot, Message, Update

from bot.conversation.commands import obey
from bot.conversation.feedback import take_press
from bot.conversation.groups import command_in, is_group, is_named
from bot.conversation.photos import Photo, answer_photos
from bot.conversation.services import Services
from bot.errors import NotEditableError
from bot.inbox.store import Case
from bot.telegram_files import picture_of
from bot.wording import lines
from bot.wording.lines import Kind


class Router:
    """Handles cases; each may come again after a crash."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def handle(self, case: Case) -> None:
        """Do what the case asks for.

        Raises:
            telegram.error.TelegramError: what was to be shown could not be shown.
        """
        updates = self._updates(case)
        messages = [update.message for update in updates if update.message is not None]
        for update in updates:
            if update.callback_query is not None:
                await take_press(self._services, update.callback_query)
        if messages:
            await self._answer(case, messages)

    async def apologise(self, case: Case) -> None:
        """Tell the person that the case came to nothing; where there is a status message, in it.

        Raises:
            telegram.error.TelegramError
        """
        update = self._updates(case)[0]
        texts = await self._services.texts(update.effective_user)
        message = update.message or (update.callback_query.message if update.callback_query else None)
        if not isinstance(message, Message):
            return
        if case.message_id is not None:
            try:
                await self._services.chat.edit(message.chat_id, case.message_id, lines.failed(texts))
                return
            except NotEditableError:
                pass
        await self._services.chat.reply(message, lines.failed(texts))

    def _updates(self, case: Case) -> list[Update]:
        return [Update.de_json(json.loads(content), self._services.bot) for content in case.contents.values()]

    async def _answer(self, case: Case, messages: list[Message]) -> None:
        bot, first = self._services.bot, messages[0]
        asker = first.from_user
        if asker is None or asker.is_bot:
            return
        command = command_in(first, bot)
        if command is not None:
            await obey(self._services, first, asker, command)
            return
        named = any(is_named(message, bot) for message in messages)
        if is_group(first) and not named:
            return
        photos = [Photo(message, file) for message in messages if (file := picture_of(message)) is not None]
        if not photos and named:
            photos = _asked_about(first, bot)
        if photos:
            await answer_photos(self._services, case, photos, asker)
            return
        await self._help(first)

    async def _help(self, message: Message) -> None:
        """A helpful line for what is no photo; none for what nobody said, such as that somebody joined."""
        kind = _kind(message)
        if kind is None:
            return
        texts = await self._services.texts(message.from_user)
        await self._services.chat.reply(
            message, lines.group_hint(texts) if is_group(message) else lines.not_a_photo(kind, texts)
        )


def _asked_about(message: Message, bot: Bot) -> list[Photo]:
    """The photo that a message replies to, unless the bot itself has drawn it; none or one."""
    replied = message.reply_to_message
    if replied is None or (replied.from_user is not None and replied.from_user.id == bot.id):
        return []
    file = picture_of(replied)
    return [Photo(replied, file)] if file is not None else []


def _kind(message: Message) -> Kind | None:
    if message.text is not None:
        return "text"
    if message.voice or message.audio:
        return "voice"
    if message.video or message.video_note or message.animation:
        return "video"
    if message.sticker:
        return "sticker"
    return "other" if message.effective_attachment is not None else None
