"""uvicorn's HTTP/1.1 with bounds on a request's head, and with refusals in the form of all others.

uvicorn takes a head of any length, however slowly it comes, and answers what is no HTTP with plain text. A connection that was
answered before its request's body was whole it keeps for as long as now and then a byte of that body comes.
"""

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.errors import HeadTooLarge, MalformedRequest, Problem, ReceiveTimeout
from gateway.problems import problem_response
from gateway.request_ids import REQUEST_ID_HEADER, new_request_id

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent
    from uvicorn._types import Scope as AsgiScope
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

log = structlog.get_logger()

_MOST_HEAD_BYTES = 64 * 1024
_LINGER_S = 1.0
"""Closing while the client still sends would reset the connection, and the answer with it."""
_REASONS = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}


class Protocol(HttpToolsProtocol):
    """One connection."""

    head_timeout_s = 30.0
    """Seconds from the connection, or from the first byte of a further request, to the end of its head."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._refused = False
        self._ending = False
        self._message_ended = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first head its time."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the time."""
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before the end of a head."""
        if self._refused:
            return
        self._message_ended = False
        super().data_received(data)
        if self._message_ended:  # these bytes were a body's; of another head behind it there is little yet
            return
        if not self._in_head or self._refused or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > _MOST_HEAD_BYTES:
            self._refuse(
                HeadTooLarge(f"The request's header fields may have at most {_MOST_HEAD_BYTES} bytes together.")
            )
        elif self._head_timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._end_head()
        self._in_head = False
        if not self._ending:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Another head may follow."""
        super().on_message_complete()
        if self._ending and self.cycle.response_complete:
            self.transport.close()
        self._in_head, self._head_bytes = True, 0
        self._message_ended = True

    def on_response_complete(self) -> None:
        """Let the client read its answer, then close where that was announced."""
        super().on_response_complete()
        if self._ending and not self.transport.is_closing():
            if self.cycle.more_body:
                self.loop.call_later(_LINGER_S, self.transport.close)
            else:
                self.transport.close()

    def _start_asgi_task(self, cycle: "RequestResponseCycle", app: "ASGI3Application") -> None:
        async def announcing(scope: "AsgiScope", receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
            async def send_announcing(message: "ASGISendEvent") -> None:
                if message["type"] != "http.response.start" or not cycle.more_body:
                    await send(message)
                    return
                self._ending = True
                await send({**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]})
                cycle.keep_alive = True  # else uvicorn closes at once

            await app(scope, receive, send_announcing)

        super()._start_asgi_task(cycle, announcing)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the base class's
        """What cannot be parsed."""
        self._refuse(MalformedRequest("This is not a valid HTTP request. Check its method, address and header fields."))

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._head_is_late)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        self._refuse(ReceiveTimeout(f"The request's head did not arrive within {self.head_timeout_s:g} seconds."))

    def _refuse(self, problem: Problem) -> None:
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        request_id = new_request_id()
        response = problem_response(problem, instance="", request_id=request_id)
        response.headers[REQUEST_ID_HEADER] = request_id
        fields = [*self.server_state.default_headers, *response.raw_headers, (b"connection", b"close")]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        status = f"HTTP/1.1 {problem.status} {_REASONS[problem.status]}\r\n"
        self.transport.write(status.encode() + head + b"\r\n" + bytes(response.body))
        self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.close)
        log.info("connection refused", request_id=request_id, status=problem.status, problem=problem.type)
