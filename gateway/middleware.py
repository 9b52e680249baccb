"""What happens around every request: its id, its log line, and an answer even to a defect.

Pure ASGI: Starlette's BaseHTTPMiddleware would add a task and a stream to every request.
"""

import random
import re
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import InternalError
from gateway.problems import problem_response

log = structlog.get_logger()

REQUEST_ID_HEADER = "X-Request-ID"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_QUIET_PATHS = ("/health", "/health/ready")


class RequestContext:
    """Give each request an id (`scope["state"]["request_id"]`), return it in the header, write one log line."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI event scope; only HTTP is given an id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            log.exception("defect")
            if status:  # half an answer is out already: the server has to cut the connection
                raise
            problem = InternalError(f"This is a defect of the service. Report it with the request id {request_id}.")
            await problem_response(problem, instance=scope["path"], request_id=request_id)(scope, receive, send_with_id)
        finally:
            write = log.debug if scope["path"] in _QUIET_PATHS else log.info
            write(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                duration_ms=round((time.perf_counter() - started) * 1000, 2),
            )


def _request_id(scope: Scope) -> str:
    """The caller's id where it is well-formed: it ends up in logs, headers and Triton's traces."""
    offered = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
    return offered if _WELL_FORMED.fullmatch(offered) else f"{random.getrandbits(128):032x}"
