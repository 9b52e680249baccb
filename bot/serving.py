"""The bot's own HTTP: /health, /metrics and, in webhook mode, the webhook."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from bot.errors import MisconfiguredError
from bot.inbox.pulse import Pulse
from bot.inbox.store import Inbox
from bot.metrics import Metrics

_DATABASE_TIMEOUT_S = 2.0
_LAST_ANSWERS_S = 5


def make_app(inbox: Inbox, pulse: Pulse | None, metrics: Metrics, more: Sequence[BaseRoute] = ()) -> Starlette:
    """The application.

    Args:
        pulse: of polling; None where Telegram brings the updates.
        more: further routes.
    """

    async def health(_: Request) -> Response:
        try:
            async with asyncio.timeout(_DATABASE_TIMEOUT_S):
                await inbox.waiting()
        except (DBAPIError, TimeoutError):
            return PlainTextResponse("The database does not answer.\n", 503)
        if pulse is not None and not pulse.is_alive:
            return PlainTextResponse("Telegram does not answer.\n", 503)
        return PlainTextResponse("ok\n")

    async def exposition(_: Request) -> Response:
        metrics.waiting.set(await inbox.waiting())
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/health", health), Route("/metrics", exposition), *more])


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to the bot."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens on the address.

    Raises:
        MisconfiguredError: it is taken, or not one of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise MisconfiguredError(
            f"{host}:{port} cannot be listened on ({error.strerror}). Set BOT_HTTP_HOST and BOT_HTTP_PORT."
        ) from error


async def serve(app: Starlette, listener: socket.socket) -> None:
    """Serve until cancelled; requests that have begun are answered."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=_LAST_ANSWERS_S,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
