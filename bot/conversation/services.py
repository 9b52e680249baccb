"""What every part of a conversation needs."""

import asyncio
from dataclasses import dataclass

from telegram import Bot, User

from bot.chat import Chat
from bot.diagnosing import Diagnosing
from bot.inbox.store import Inbox
from bot.metrics import Metrics
from bot.people import People
from bot.secrets import Hashes
from bot.settings import Settings
from bot.telegram_files import Files
from bot.wording.catalogue import Catalogue, Texts


@dataclass(frozen=True)
class Services:
    """Shared by all handlers; wired in `bot.running`.

    Attributes:
        heavy_drawing: to be held while a picture is marked that takes much memory.
    """

    settings: Settings
    bot: Bot
    chat: Chat
    files: Files
    diagnosing: Diagnosing
    inbox: Inbox
    people: People
    catalogue: Catalogue
    hashes: Hashes
    metrics: Metrics
    heavy_drawing: asyncio.Lock

    async def texts(self, user: User | None) -> Texts:
        """In the language that the person chose, else Telegram's, else English."""
        if user is None:
            return self.catalogue.texts(None)
        return self.catalogue.texts(await self.people.language(self.hashes.user(user.id)) or user.language_code)
