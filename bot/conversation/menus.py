"""The menu of commands that Telegram shows: in every language, and in a chat in the language that was chosen there."""

import structlog
from telegram import User
from telegram.error import TelegramError

from bot.conversation.services import Services
from bot.wording.catalogue import LANGUAGES, Texts
from bot.wording.pages import menu

log = structlog.get_logger()


async def set_menus(services: Services) -> None:
    """Set the menu for all languages; the first one is for everybody else too. The bot works without it all the same."""
    for language in (None, *LANGUAGES):
        commands = menu(services.catalogue.texts(language))
        try:
            await services.chat.set_menu(commands, language=language)
        except TelegramError as error:
            log.warning("the menu was not set", language=language, reason=str(error))


async def choose_menu(services: Services, person: User, texts: Texts) -> None:
    """The menu of somebody's private chat in the language that they chose, whatever their phone speaks."""
    try:
        await services.chat.set_menu(menu(texts), person=person.id)
    except TelegramError as error:
        log.info("a chat's menu was not set", reason=str(error))


async def forget_menu(services: Services, person: User) -> None:
    """The menu of somebody's private chat as it was before."""
    try:
        await services.chat.delete_menu(person.id)
    except TelegramError as error:
        log.info("a chat's menu was not deleted", reason=str(error))
