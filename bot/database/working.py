"""The database for asynchronous callers: all work goes through one thread, so that SQLite's one writer is never waited for."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine

from bot.database.engine import write

T = TypeVar("T")


class Database:
    """Runs functions of a connection, each in a transaction of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, "database")

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, after it was committed.

        Raises:
            sqlalchemy.exc.DBAPIError
        """

        def transact() -> T:
            with write(self._engine) as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._thread, transact)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns.

        Raises:
            sqlalchemy.exc.DBAPIError
        """

        def transact() -> T:
            with self._engine.connect() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._thread, transact)

    def close(self) -> None:
        """Finish what was begun, close the connections."""
        self._thread.shutdown()
        self._engine.dispose()
