"""The commands, each a reply."""

from collections.abc import Awaitable, Callable
from math import ceil

import structlog
from telegram import Message, User

from bot.conversation.menus import forget_menu
from bot.conversation.services import Services
from bot.wording import lines, pages
from bot.wording.buttons import language_buttons
from bot.wording.catalogue import Texts
from client import GatewayError

log = structlog.get_logger()

_MINUTE_S = 60


async def obey(services: Services, message: Message, asker: User, command: str) -> None:
    """Answer a command, such as `help`.

    Raises:
        telegram.error.TelegramError
    """
    texts = await services.texts(asker)
    answering = _COMMANDS.get(command)
    if answering is None:
        await services.chat.reply(message, lines.unknown_command(texts))
    else:
        await answering(services, message, asker, texts)


async def _start(services: Services, message: Message, _asker: User, texts: Texts) -> None:
    told = await services.diagnosing.known_classes(texts.language)
    await services.chat.reply(message, pages.start(texts, told["crop"] if told else None))


async def _help(services: Services, message: Message, _asker: User, texts: Texts) -> None:
    settings = services.settings
    minutes = ceil(settings.photos_window_s / _MINUTE_S)
    await services.chat.reply(message, pages.help_page(texts, photos=settings.photos, minutes=minutes))


async def _language(services: Services, message: Message, _asker: User, texts: Texts) -> None:
    await services.chat.reply(message, lines.choose_language(texts), language_buttons(texts))


async def _classes(services: Services, message: Message, _asker: User, texts: Texts) -> None:
    try:
        told = await services.diagnosing.classes(texts.language)
    except GatewayError as error:
        log.warning("no list of classes", reason=str(error))
        await services.chat.reply(message, lines.not_told(texts))
        return
    await services.chat.reply(message, pages.classes(told, texts))


async def _privacy(services: Services, message: Message, _asker: User, texts: Texts) -> None:
    await services.chat.reply(message, pages.privacy(texts))


async def _forget(services: Services, message: Message, asker: User, texts: Texts) -> None:
    """First at the gateway: while that fails nothing here is lost that would help to try again."""
    person = services.hashes.user(asker.id)
    try:
        count = await services.diagnosing.forget(person)
    except GatewayError as error:
        log.warning("not forgotten at the gateway", reason=str(error))
        await services.chat.reply(message, lines.not_forgotten(texts))
        return
    await services.people.forget(person)
    await services.inbox.forget(person)
    await forget_menu(services, asker)
    await services.chat.reply(message, lines.forgotten(count, texts))


_Answering = Callable[[Services, Message, User, Texts], Awaitable[None]]
_COMMANDS: dict[str, _Answering] = {
    "start": _start,
    "help": _help,
    "language": _language,
    "classes": _classes,
    "privacy": _privacy,
    "forget": _forget,
}
