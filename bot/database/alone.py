"""One bot to a database: two would answer everything twice. The lock goes with its process, however that ends."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from bot.errors import AlreadyRunningError, DatabaseUnreachableError

_LOCK = 0x1EB1  # any number that nobody else locks
_LOOK_EVERY_S = 0.2


@contextmanager
def alone(engine: Engine, patience_s: float) -> Iterator[None]:
    """Hold the database for this process while the block lasts; blocks until another bot has ended.

    Args:
        patience_s: that the other one gets, which may be finishing its work.

    Raises:
        AlreadyRunningError: it goes on.
        DatabaseUnreachableError: the lock cannot be tried.
    """
    holding = _file_lock if engine.dialect.name == "sqlite" else _advisory_lock
    with holding(engine) as try_lock:
        deadline = time.monotonic() + patience_s
        while not try_lock():
            if time.monotonic() > deadline:
                raise AlreadyRunningError("Another bot works on this database. End it first, or set BOT_DATABASE_URL.")
            time.sleep(_LOOK_EVERY_S)
        yield


@contextmanager
def _file_lock(engine: Engine) -> Iterator[Callable[[], bool]]:
    """A lock on a file beside SQLite's."""
    path = Path(f"{engine.url.database}.lock")
    try:
        opened = path.open("w")
    except OSError as error:
        raise DatabaseUnreachableError(
            f"{path} cannot be written: {error.strerror}. Check BOT_DATA_DIR and its rights."
        ) from error
    with opened as file:

        def try_lock() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        yield try_lock


@contextmanager
def _advisory_lock(engine: Engine) -> Iterator[Callable[[], bool]]:
    """PostgreSQL's own, held by a connection that does nothing else."""
    try:
        connection: Connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    except DBAPIError as error:
        raise DatabaseUnreachableError("The database does not answer. Check BOT_DATABASE_URL.") from error
    with connection:
        yield lambda: bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}))
        connection.invalidate()  # ends the session, and the lock with it
