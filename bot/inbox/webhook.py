"""The webhook: Telegram brings updates, and hears that they arrived once they are stored."""

import hmac
import json

import structlog
from sqlalchemy.exc import DBAPIError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.inbox.arrivals import arrival
from bot.inbox.store import Inbox
from bot.inbox.workers import Workers
from bot.metrics import Metrics

log = structlog.get_logger()

PATH = "/telegram"
_SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name
_MOST_BYTES = 1024 * 1024


def webhook_route(inbox: Inbox, workers: Workers, metrics: Metrics, secret: str) -> Route:
    """The route for Telegram alone: without `secret` everything is refused."""

    async def receive(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get(_SECRET_HEADER, "").encode(), secret.encode()):
            return PlainTextResponse("Only Telegram may bring updates.", 403)
        try:
            update = json.loads(await _body(request))
        except (ValueError, RecursionError):
            return PlainTextResponse("This is no update.", 400)
        except ClientDisconnect:
            return Response(status_code=400)
        stored = arrival(update) if isinstance(update, dict) else None
        if stored is not None:
            try:
                metrics.updates.inc(await inbox.add([stored]))
            except DBAPIError:
                log.exception("an update cannot be stored; Telegram brings it again")
                return PlainTextResponse("Later, please.", 503)
            workers.wake()
        return Response()

    return Route(PATH, receive, methods=["POST"])


async def _body(request: Request) -> bytes:
    """The body, in memory.

    Raises:
        ValueError: it is longer than updates are.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise ValueError("too long")
    return bytes(body)
