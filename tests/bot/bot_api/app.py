"""The server: `/bot<token>/<method>`, `/file/bot<token>/<path>` and `/control/...`."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bot_api import account, editing, sending
from bot_api.calls import read_call
from bot_api.control import Control, Log
from bot_api.errors import ApiError, ConnectionCut
from bot_api.faults import Faults
from bot_api.updates import Updates
from bot_api.webhook import Webhook
from bot_api.world import World

METHODS = ["GET", "POST"]


class Server:
    """One bot's side of the protocol."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.world = World(token)
        self.faults = Faults()
        self.updates = Updates(self.faults)
        self.webhook = Webhook(self.updates, self.faults)
        self.log = Log()
        on_world = (
            *(account.get_me, account.get_file, account.set_my_commands, account.get_my_commands),
            *(sending.send_message, sending.send_photo, sending.send_chat_action, sending.answer_callback_query),
            *(editing.edit_message_text, editing.edit_message_caption, editing.edit_message_media),
            *(editing.edit_message_reply_markup, editing.delete_message),
        )
        self.methods: dict[str, Callable[..., Awaitable[Any]]] = {
            method.__name__.replace("_", ""): partial(method, self.world) for method in on_world
        }
        self.methods["getupdates"] = partial(account.get_updates, self.updates)
        for method in (account.set_webhook, account.delete_webhook, account.get_webhook_info):
            self.methods[method.__name__.replace("_", "")] = partial(method, self.webhook, self.updates)

    async def call(self, request: Request) -> Response:
        """A method."""
        self._check(request.path_params["token"])
        name = request.path_params["method"].lower()
        if name not in self.methods:
            raise ApiError(404, "Not Found: method not found")
        call = await read_call(request, name)
        result = await self._with_faults(request, name, call.shown(), partial(self.methods[name], call))
        return JSONResponse({"ok": True, "result": result})

    async def download(self, request: Request) -> Response:
        """A file that `getFile` named."""
        self._check(request.path_params["token"])
        path = request.path_params["path"]

        async def bytes_of() -> bytes:
            return self.world.files.by_path(path).data

        data = await self._with_faults(request, "file", {"path": path}, bytes_of)
        return Response(data, media_type="application/octet-stream")

    async def _with_faults(
        self, request: Request, name: str, fields: dict[str, Any], effect: Callable[[], Awaitable[Any]]
    ) -> Any:
        rule = self.faults.drawn(name)
        entry = self.log.begun(name, fields, rule.kind if rule else None)

        async def timed() -> Any:
            result = await effect()
            entry["done"] = time.time()
            return result

        async def gone() -> None:
            while not await request.is_disconnected():
                await asyncio.sleep(0.02)

        try:
            result = await self.faults.around(rule, timed, gone)
        except (ApiError, ConnectionCut) as error:
            entry["status"] = error.code if isinstance(error, ApiError) else -1
            raise
        entry["status"] = 200
        return result

    def _check(self, token: str) -> None:
        if token != self.token:
            raise ApiError(401, "Unauthorized") if ":" in token else ApiError(404, "Not Found")


async def refused(_: Request, error: Exception) -> Response:
    """What a refusal looks like; 502 is a proxy's page and no JSON."""
    assert isinstance(error, ApiError)
    if error.code == 502:
        return HTMLResponse("<html><head><title>502 Bad Gateway</title></head></html>", 502)
    return JSONResponse(error.body, error.code)


class Cut(Response):
    """Instead of an answer: the connection breaks."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        scope["cut"]()
        await asyncio.sleep(0.01)  # until uvicorn knows


async def cut(_: Request, error: Exception) -> Response:
    """Break the connection off, or take note that the caller has done so."""
    assert isinstance(error, ConnectionCut | ClientDisconnect)
    return Cut()


def with_cuts(app: ASGIApp) -> ASGIApp:
    """Lends each request the means to break its connection."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["cut"] = send.__self__.transport.abort  # type: ignore[attr-defined]  # uvicorn's request, bound
        await app(scope, receive, send)

    return call


def create_app(token: str) -> ASGIApp:
    """The whole server."""
    server = Server(token)
    control = Control(server.world, server.updates, server.webhook, server.faults, server.log)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await server.webhook.stop()

    routes = [
        Route("/bot{token}/{method}", server.call, methods=METHODS),
        Route("/file/bot{token}/{path:path}", server.download),
        *control.routes,
    ]
    handlers = {ApiError: refused, ConnectionCut: cut, ClientDisconnect: cut}
    return with_cuts(Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan))
