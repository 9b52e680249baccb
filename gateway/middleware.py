"""What happens around every request: its id, its log line, its figures, and an answer even to a defect.

Pure ASGI: Starlette's BaseHTTPMiddleware would add a task and a stream to every request.
"""

import asyncio
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access.credentials import refuse_in_url
from gateway.draining import is_draining
from gateway.errors import CredentialInUrl, InternalError, Problem, ShuttingDown
from gateway.observe.metrics import UNMATCHED, Metrics
from gateway.observe.traces import Traces, finish
from gateway.problems import problem_response
from gateway.request_ids import REQUEST_ID_HEADER, request_id_of

log = structlog.get_logger()

_PRIVATE = "private, no-store"
_QUIET_PATHS = ("/health", "/health/ready")
_LOGGED_PATH = 200
"""Characters of a path that are logged: nobody needs more, and anybody may send thousands."""


class RequestContext:
    """Give each request an id (`scope["state"]["request_id"]`), return it in the header, write one log line.

    Header fields that the routes put into `request.state.response_headers` are added to the answer, whatever it is. What
    is answered to a known caller is stored by no cache, unless the route says otherwise. A credential in the address is
    refused, whatever the route.
    `request.state.problem`, where the answer is one, says which; `request.state.caller` who asked.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics | None = None,
        traces: Traces | None = None,
        log_addresses: bool = False,
    ) -> None:
        self._app = app
        self._metrics = metrics or Metrics()
        self._traces = traces or Traces()
        self._log_addresses = log_addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI event scope; only HTTP is given an id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = request_id_of(headers)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = MutableHeaders(scope=message)
                for name, value in state.get("response_headers", {}).items():
                    answer[name] = value
                answer[REQUEST_ID_HEADER] = request_id
                if "caller" in state:
                    answer.setdefault("Cache-Control", _PRIVATE)
                if is_draining(state):
                    answer["Connection"] = "close"
            await send(message)

        async def answer_problem(problem: Problem) -> None:
            state["problem"] = problem.type
            response = problem_response(problem, instance=scope["path"], request_id=request_id)
            await response(scope, receive, send_with_id)

        with self._metrics.in_flight(), self._traces.request(scope["method"], headers) as span:
            try:
                if scope["query_string"]:
                    refuse_in_url(scope["query_string"])
                await self._app(scope, receive, send_with_id)
            except CredentialInUrl as problem:
                await answer_problem(problem)
            except asyncio.CancelledError:
                if status or not is_draining(state):
                    raise
                await answer_problem(ShuttingDown("The gateway ended before the answer was ready. Send it again."))
            except Exception:
                log.exception("defect")
                if status:  # half an answer is out already: the server has to cut the connection
                    raise
                await answer_problem(
                    InternalError(f"This is a defect of the service. Report it with the request id {request_id}.")
                )
            finally:
                seconds = time.perf_counter() - started
                route = getattr(scope.get("route"), "path", UNMATCHED)
                self._write_line(scope, route, status, seconds)
                self._metrics.observe_request(route, scope["method"], status, seconds)
                if "problem" in state:
                    self._metrics.observe_problem(state["problem"], getattr(state.get("caller"), "kind", None))
                if span is not None:
                    finish(span, scope["method"], route, status, request_id)

    def _write_line(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        state = scope["state"]
        fields = {
            "method": scope["method"],
            "path": scope["path"][:_LOGGED_PATH],
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 2),
        }
        caller = state.get("caller")
        if caller is not None:
            fields["caller"] = caller.kind
        if "problem" in state:
            fields["problem"] = state["problem"]
        if self._log_addresses:
            fields["client"] = caller.address if caller is not None else (scope.get("client") or ("",))[0]
        write = log.debug if scope["path"] in _QUIET_PATHS else log.info
        write("request", **fields)
