"""Whether what the bot needs is right: one finding each, in plain words."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from telegram import Bot
from telegram.error import InvalidToken, TelegramError

from bot.database import database_url, open_database
from bot.database.upgrading import is_current
from bot.errors import StartError
from bot.running import make_bot
from bot.secrets import Hashes, read_gateway_key, read_token
from bot.settings import Settings
from client import GatewayClient, GatewayError, Refused

_NO_PREDICTION = "0" * 32
_WAIT_S = 10.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: token, gateway, webhook or database.
        says: a sentence; where it is not right, what to do.
    """

    about: str
    is_right: bool
    says: str


async def findings(settings: Settings) -> AsyncIterator[Finding]:
    """Look at everything, one after the other; nothing is changed but that the data folder is made."""
    try:
        token = read_token(settings)
    except StartError as error:
        yield Finding("token", False, str(error))
    else:
        bot = make_bot(settings, token)
        yield await _token(bot, settings)
        yield await _webhook(bot, settings)
        await bot.shutdown()
    yield await _gateway(settings)
    yield _database(settings)


async def _token(bot: Bot, settings: Settings) -> Finding:
    try:
        await bot.initialize()
    except InvalidToken:
        return Finding("token", False, "Telegram does not know this token. Ask @BotFather for the right one.")
    except TelegramError as error:
        return Finding(
            "token", False, f"{settings.api_url} does not answer ({error}). Check the network and BOT_API_URL."
        )
    return Finding("token", True, f"It is the token of @{bot.username}.")


async def _webhook(bot: Bot, settings: Settings) -> Finding:
    try:
        told = await bot.get_webhook_info()
    except TelegramError as error:
        return Finding("webhook", False, f"Telegram does not say whether one is set ({error}).")
    if settings.mode == "polling":
        if told.url:
            says = f"One is set, to {told.url}. Start the bot once, which removes it, or set BOT_MODE=webhook."
            return Finding("webhook", False, says)
        return Finding("webhook", True, "None is set, as polling needs it.")
    if told.url != settings.webhook_url:
        where = f"to {told.url}" if told.url else "not at all"
        return Finding("webhook", False, f"It is set {where}, not to {settings.webhook_url}. Start the bot once.")
    if told.last_error_message and told.pending_update_count:
        says = f"Telegram cannot bring {told.pending_update_count} updates: {told.last_error_message}."
        return Finding("webhook", False, f"{says} Check that {settings.webhook_url} leads to BOT_HTTP_PORT.")
    return Finding("webhook", True, f"It is set to {told.url}.")


async def _gateway(settings: Settings) -> Finding:
    """Ask about an answer that there is not: whoever may ask for others hears just that."""
    try:
        key = read_gateway_key(settings)
    except StartError as error:
        return Finding("gateway", False, str(error))
    url = settings.gateway_url
    async with GatewayClient(url, key=key, timeout_s=_WAIT_S, retries=0) as gateway:
        try:
            await gateway.feedback(_NO_PREDICTION, "unsure", end_user=_NO_PREDICTION)
        except Refused as refused:
            if refused.type != "/problems/unknown-prediction":
                return Finding(
                    "gateway", False, f"{url} refuses: {refused.detail or refused} {_key_advice(refused)}".strip()
                )
        except GatewayError as error:
            return Finding("gateway", False, f"{error}. Start it, or set BOT_GATEWAY_URL.")
        if not await gateway.ready():
            return Finding("gateway", False, f"{url} answers, but no photos yet: its /health/ready says why.")
    return Finding("gateway", True, f"{url} answers photos, and lets the bot ask for others.")


def _key_advice(refused: Refused) -> str:
    if refused.status not in (401, 403):
        return ""
    return (
        "Make a key with `python -m gateway keys create --name bot --scope predict --scope delegate`, "
        "and set BOT_GATEWAY_KEY."
    )


def _database(settings: Settings) -> Finding:
    try:
        Hashes.from_settings(settings)
        engine = open_database(database_url(settings))
        try:
            ready = _try(engine)
        finally:
            engine.dispose()
    except StartError as error:
        return Finding("database", False, str(error))
    except DBAPIError as error:
        reason = " ".join(str(error.orig).strip().splitlines()[:1])
        says = f"It cannot be written: {reason}. Check BOT_DATABASE_URL and BOT_DATA_DIR."
        return Finding("database", False, says)
    return Finding(
        "database", True, "It can be written." if ready else "It can be written; its tables are made at the next start."
    )


def _try(engine: Engine) -> bool:
    """Whether the schema is there, after a table was made and taken back."""
    with engine.connect() as connection:
        ready = is_current(connection)
    with engine.execution_options(leaf_writes=True).connect() as connection:
        connection.execute(text("CREATE TABLE leaf_check (id INTEGER)"))
        connection.rollback()
    return ready
