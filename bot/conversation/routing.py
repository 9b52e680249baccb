"""From a case of the inbox to what is done about it."""

import json

from telegram import Message, Update

from bot.conversation.photos import Photo, answer_photos
from bot.conversation.services import Services
from bot.inbox.store import Case
from bot.telegram_files import picture_of


class Router:
    """Handles cases; each may come again after a crash."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def handle(self, case: Case) -> None:
        """Do what the case asks for.

        Raises:
            telegram.error.TelegramError: what was to be shown could not be shown.
        """
        updates = [Update.de_json(json.loads(content), self._services.bot) for content in case.contents.values()]
        messages = [update.message for update in updates if update.message is not None]
        await self._answer(case, messages)

    async def apologise(self, case: Case) -> None:
        """Tell the person that the case came to nothing."""

    async def _answer(self, case: Case, messages: list[Message]) -> None:
        photos = [Photo(message, file) for message in messages if (file := picture_of(message)) is not None]
        if photos and messages[0].from_user:
            await answer_photos(self._services, case, photos, messages[0].from_user)
