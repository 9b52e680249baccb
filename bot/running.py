"""Wires the bot and runs it until SIGTERM or SIGINT."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError
from telegram import Bot
from telegram.error import BadRequest, InvalidToken, TelegramError
from telegram.request import HTTPXRequest

from bot.calling import Calling
from bot.chat import Chat
from bot.conversation.menus import set_menus
from bot.conversation.routing import Router
from bot.conversation.services import Services
from bot.database import database_url, open_database, upgrade
from bot.database.alone import alone
from bot.database.working import Database
from bot.diagnosing import Diagnosing
from bot.errors import InvalidTokenError, MisconfiguredError
from bot.inbox.arrivals import WANTED
from bot.inbox.polling import Poller
from bot.inbox.pulse import Pulse
from bot.inbox.store import Inbox
from bot.inbox.webhook import webhook_route
from bot.inbox.workers import Workers
from bot.metrics import Metrics
from bot.people import People
from bot.secrets import Hashes, read_gateway_key
from bot.serving import bind, make_app, serve
from bot.settings import Settings
from bot.telegram_files import Files
from bot.wording.catalogue import Catalogue
from client import GatewayClient

log = structlog.get_logger()

_CONNECT_TIMEOUT_S = 10.0
_CALLS_A_CHAT = 3  # at once: status, typing, files
_OTHERS_END_S = 5.0
_SWEEP_EVERY_S = 60.0
_RETRY_START_S = 5.0
_CUT_OFF_S = 30.0  # without an answer of Telegram's, beyond what it may hold a question open
_REFUSED = "Telegram does not know this token. Ask @BotFather for the right one, and set BOT_TOKEN."


def make_bot(settings: Settings, token: str) -> Bot:
    """A client of the Bot API; nothing is connected yet."""
    url = settings.api_url.rstrip("/")
    return Bot(
        token,
        base_url=f"{url}/bot",
        base_file_url=f"{url}/file/bot",
        request=HTTPXRequest(
            connection_pool_size=settings.parallel_chats * _CALLS_A_CHAT,
            read_timeout=settings.telegram_timeout_s,
            write_timeout=settings.telegram_timeout_s,
            connect_timeout=min(_CONNECT_TIMEOUT_S, settings.telegram_timeout_s),
            pool_timeout=settings.telegram_timeout_s,
            media_write_timeout=settings.telegram_timeout_s,
        ),
    )


async def run(settings: Settings, token: str) -> None:
    """Run until a signal comes; what is in hand then gets its time.

    Raises:
        StartError: the bot cannot start, or Telegram has revoked the token.
    """
    ended = asyncio.Event()
    async with _services(settings, make_bot(settings, token)) as services:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        router = Router(services)
        workers = Workers(services.inbox, router.handle, router.apologise, settings.parallel_chats, services.metrics)
        if await _unless(ended, _begin(services)):
            log.info("running", mode=settings.mode)
            await _unless(ended, *_parts(services, workers))
            log.info("draining")
            await workers.drain(settings.shutdown_grace_s)
    log.info("ended")


def _parts(services: Services, workers: Workers) -> list[Coroutine[Any, Any, None]]:
    """What runs side by side: where updates come from, who works on them, the HTTP server, and housekeeping.

    Raises:
        MisconfiguredError: the address of the HTTP server is taken.
    """
    settings, inbox, metrics = services.settings, services.inbox, services.metrics
    secret = settings.webhook_secret.get_secret_value()
    polls = settings.mode == "polling"
    pulse = Pulse(settings.poll_s + _CUT_OFF_S) if polls else None
    routes = [] if polls else [webhook_route(inbox, workers, metrics, secret)]
    listener = bind(settings.http_host, settings.http_port) if settings.http_port else None
    parts = [workers.run(), _sweep(services), set_menus(services)]
    if pulse is not None:
        parts.append(Poller(services.bot, inbox, workers, metrics, pulse, settings.poll_s).run())
    if listener is not None:
        parts.append(serve(make_app(inbox, pulse, metrics, routes), listener))
    return parts


@contextlib.asynccontextmanager
async def _services(settings: Settings, bot: Bot) -> AsyncIterator[Services]:
    metrics = Metrics()
    calling = Calling(settings.messages_per_s, metrics)
    engine = open_database(database_url(settings))
    gateway = GatewayClient(
        settings.gateway_url, key=read_gateway_key(settings), timeout_s=settings.gateway_timeout_s, retries=0
    )
    async with contextlib.AsyncExitStack() as stack:
        database = Database(engine)
        stack.callback(database.close)
        stack.enter_context(alone(engine, settings.shutdown_grace_s + _OTHERS_END_S))
        upgrade(engine)
        stack.push_async_callback(bot.shutdown)
        await stack.enter_async_context(gateway)
        files = await stack.enter_async_context(
            Files(bot, calling, settings.telegram_timeout_s, settings.photo_memory_bytes)
        )
        yield Services(
            settings=settings,
            bot=bot,
            chat=Chat(bot, calling),
            files=files,
            diagnosing=Diagnosing(gateway, settings.patience_s, settings.parallel_questions, metrics),
            inbox=Inbox(database, settings.album_wait_s),
            people=People(database, settings.answer_days),
            catalogue=Catalogue.load(),
            hashes=Hashes.from_settings(settings),
            metrics=metrics,
            heavy_drawing=asyncio.Lock(),
        )


async def _unless(ended: asyncio.Event, *work: Coroutine[Any, Any, None]) -> bool:
    """Do all the work, unless `ended` comes first; whether it was done.

    Raises:
        StartError: Telegram has revoked the token; or whatever else the work raises.
    """
    ending = asyncio.create_task(ended.wait())
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(one) for one in work]
    left: set[asyncio.Task[Any]] = {ending, *tasks}
    try:
        while left != {ending} and ending in left:
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        return not ended.is_set()
    except InvalidToken as error:
        raise InvalidTokenError(_REFUSED) from error
    finally:
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _begin(services: Services) -> None:
    """Learn the bot's own name and say how updates are to come; waits for Telegram for as long as it takes.

    Raises:
        InvalidTokenError: Telegram does not know the token.
    """
    bot, settings = services.bot, services.settings
    while True:
        try:
            await bot.initialize()
            if settings.mode == "polling":
                await bot.delete_webhook(drop_pending_updates=False)
            else:
                await bot.set_webhook(
                    settings.webhook_url,
                    secret_token=settings.webhook_secret.get_secret_value(),
                    allowed_updates=WANTED,
                )
            return
        except InvalidToken as error:
            raise InvalidTokenError(_REFUSED) from error
        except BadRequest as error:
            raise MisconfiguredError(f"Telegram refuses BOT_WEBHOOK_URL: {error}.") from error
        except TelegramError as error:
            log.warning("Telegram does not answer", reason=str(error) or type(error).__name__)
            await asyncio.sleep(_RETRY_START_S)


async def _sweep(services: Services) -> None:
    while True:
        try:
            await services.inbox.sweep(services.settings.photos_window_s)
            await services.people.sweep()
            services.metrics.waiting.set(await services.inbox.waiting())
        except DBAPIError:
            log.exception("the database cannot be swept")
        await asyncio.sleep(_SWEEP_EVERY_S)
