"""Opens the database that a URL names, with the timeouts and modes that a service needs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from bot.errors import DatabaseUnreachableError, InvalidDatabaseUrlError
from bot.settings import Settings

logging.getLogger("psycopg").setLevel(logging.ERROR)  # its warnings quote whole rows

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 30
_DISCREET: dict[str, Any] = {"hide_parameters": True}  # errors end in logs; they must not quote what people sent
_SQLITE_BUSY_TIMEOUT_S = 10
_EXAMPLES = "sqlite:////var/lib/leaf/bot.db or postgresql://user:password@host/database"


def database_url(settings: Settings) -> str:
    """The URL that the settings name: `database_url`, else a SQLite file in the data folder."""
    return settings.database_url or f"sqlite:///{settings.data_dir / 'bot.db'}"


def open_database(url: str) -> Engine:
    """An engine; nothing is connected yet.

    Raises:
        InvalidDatabaseUrlError: not a URL of SQLite (a file) or PostgreSQL, or its driver is missing.
        DatabaseUnreachableError: the folder of the SQLite file cannot be made.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidDatabaseUrlError(f"BOT_DATABASE_URL is no database URL. Use {_EXAMPLES}.") from error
    opener = {"sqlite": _open_sqlite, "postgresql": _open_postgresql, "postgres": _open_postgresql}.get(
        parsed.drivername.split("+")[0]
    )
    if opener is None:
        raise InvalidDatabaseUrlError(f"BOT_DATABASE_URL names {parsed.drivername!r}. Use {_EXAMPLES}.")
    try:
        return opener(parsed)
    except (ImportError, NoSuchModuleError) as error:
        raise InvalidDatabaseUrlError(
            f"The driver for {parsed.drivername!r} cannot be loaded ({error}). PostgreSQL needs the package psycopg."
        ) from error


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """A transaction that will write, committed at the end of the block; in SQLite it takes the write lock at once."""
    with engine.execution_options(leaf_writes=True).begin() as connection:
        yield connection


def _open_sqlite(url: URL) -> Engine:
    if url.database in (None, "", ":memory:") or url.query:
        raise InvalidDatabaseUrlError(
            "BOT_DATABASE_URL must name a SQLite file without options, such as sqlite:////var/lib/leaf/bot.db."
        )
    folder = Path(str(url.database)).parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnreachableError(
            f"The folder {folder} cannot be made: {error.strerror}. Check BOT_DATA_DIR."
        ) from error
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"), connect_args={"timeout": _SQLITE_BUSY_TIMEOUT_S}, **_DISCREET
    )

    def configure(connection: Any, _: object) -> None:
        connection.isolation_level = None  # no hidden BEGIN of the driver: begin() below decides
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")  # a killed process loses nothing; a power cut the last moments
        cursor.execute("PRAGMA secure_delete = ON")  # what is emptied is gone from the file too
        cursor.close()

    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("leaf_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin)
    return engine


def _open_postgresql(url: URL) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "leaf-bot",
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_S}s",
            "tcp_user_timeout": STATEMENT_TIMEOUT_S * 1000,  # ms; a peer that vanished is noticed
        },
        pool_pre_ping=True,
        pool_timeout=CONNECT_TIMEOUT_S,
        **_DISCREET,
    )
