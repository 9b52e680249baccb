"""Runs the application under uvicorn, in this process or in several, until SIGINT or SIGTERM.

The end is gentle: readiness says no, what has been accepted is answered, then the process ends with code 0.
"""

import asyncio
import os
import signal
import socket
import sys
from contextlib import closing
from types import FrameType

import structlog
import uvicorn

from gateway.draining import share
from gateway.errors import StartError
from gateway.heap import give_memory_back
from gateway.listening import admit_no_more, bind, url_of
from gateway.logs import configure_logs
from gateway.observe.exposition import served_metrics
from gateway.protocol import Protocol
from gateway.settings import Settings, load_settings
from gateway.workers import START_FAILED, Supervisor, end_with_parent

log = structlog.get_logger()

APPLICATION = "gateway.app:create_app_from_environment"

_LAST_ARRIVALS_S = 0.3
"""For requests on their way when the end begins: connections still in the queue, bytes still in the kernel."""
_BACKLOG = 2048
_MARGIN_S = 5


def serve(settings: Settings) -> int:
    """Serve until a signal comes; returns the exit code. Other settings than `settings` come from the environment too.

    Raises:
        StartError: an address is taken.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)  # while nothing is served yet, and once uvicorn has handed the signal back
    with served_metrics(settings), closing(bind(settings.host, settings.port)) as listener:
        if settings.workers == 1:
            return _run(settings, listener)
        patience_s = settings.shutdown_grace_s + settings.record_close_s + _MARGIN_S
        return Supervisor(settings.workers, _work, listener, settings.drain_notice_s, patience_s).run()


class Server(uvicorn.Server):
    """uvicorn's server, which also answers what is on its way when it is told to end."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, drain_notice_s: float, alone: bool) -> None:
        super().__init__(config)
        self._listener = listener
        self._drain_notice_s = drain_notice_s
        self._alone = alone

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Do as uvicorn does, then say where; with several workers the first such line means that the gateway answers."""
        self._draining = share(self.lifespan.state)
        await super().startup(sockets)
        log.info(f"running on {url_of(self._listener)}", pid=os.getpid())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell everybody, wait for the last arrivals, then do as uvicorn does."""
        self._draining.set()  # from here on each answer closes its connection
        log.info("draining", pid=os.getpid(), notice_s=self._drain_notice_s)
        await asyncio.sleep(self._drain_notice_s)
        if self._alone:  # with several workers the supervisor does it, since one that ends may be replaced
            admit_no_more(self._listener)
        await asyncio.sleep(_LAST_ARRIVALS_S)
        await super().shutdown(sockets)


def _run(settings: Settings, listener: socket.socket) -> int:
    give_memory_back()

    class TimedProtocol(Protocol):
        head_timeout_s = settings.receive_timeout_s

    config = uvicorn.Config(
        APPLICATION,
        factory=True,
        loop="uvloop",
        http=TimedProtocol,
        ws="none",
        lifespan="on",
        backlog=_BACKLOG,
        log_config=None,  # configure_logs() already owns the root logger
        access_log=False,  # the request middleware writes one line per request, with its id
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.shutdown_grace_s,
    )
    server = Server(config, listener, settings.drain_notice_s, alone=settings.workers == 1)
    server.run([listener])
    return 0 if server.started else 1


def _work(listener: socket.socket) -> None:
    """What a worker process does."""
    end_with_parent()
    settings = load_settings()
    configure_logs(settings.log_level)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        code = _run(settings, listener)
    except StartError as error:
        log.error("worker cannot start", reason=str(error))
        code = START_FAILED
    sys.exit(code)


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)
