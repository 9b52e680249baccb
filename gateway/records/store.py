"""Runs SQL beside the event loop, in few threads and with an end, so that a database that hangs holds up nobody else."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection, Engine

from gateway.database import write
from gateway.errors import RecordsUnavailable
from gateway.records.writing import is_down

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 4
_MOST_WAITING = 64
_TIMEOUT_S = 10.0


class Store:
    """One database as the routes use it: short transactions, each one function on a connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="records")
        self._waiting = 0

    async def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `query(connection, ...)` returns.

        Raises:
            RecordsUnavailable: the database is down, slow, or asked too much at once.
        """

        def run() -> T:
            with self._engine.connect() as connection:
                return query(connection, *args, **kwargs)

        return await self._run(run)

    async def write(self, change: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `change(connection, ...)` returns, committed.

        Raises:
            RecordsUnavailable: as above; a change that took too long may still happen.
        """

        def run() -> T:
            with write(self._engine) as connection:
                return change(connection, *args, **kwargs)

        return await self._run(run)

    def close(self) -> None:
        """Stop the threads; what hangs in the database is left to its own timeout."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, call: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise RecordsUnavailable("Too many questions to the record at once. Try again in a few seconds.")
        self._waiting += 1
        running: asyncio.Future[Any] = asyncio.get_running_loop().run_in_executor(self._pool, call)
        running.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(running), _TIMEOUT_S)
        except TimeoutError as error:
            raise RecordsUnavailable("The record does not answer. Try again in a few seconds.") from error
        except Exception as error:
            if not is_down(error):
                raise
            log.warning("database down", reason=type(error).__name__)
            raise RecordsUnavailable("The record cannot be reached now. Try again in a few seconds.") from error

    def _done(self, running: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not running.cancelled():
            running.exception()  # it may come after everybody has gone
