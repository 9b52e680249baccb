"""Opens the database that a URL names, with the timeouts and modes that a service needs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from gateway.errors import InvalidDatabaseUrlError

if TYPE_CHECKING:
    from gateway.settings import Settings

logging.getLogger("psycopg").setLevel(logging.ERROR)  # its warnings quote whole rows

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 30
_DISCREET: dict[str, Any] = {"hide_parameters": True}  # errors end in logs; they must not quote what people sent
_SQLITE_BUSY_TIMEOUT_S = 10  # several workers write one file by turns
_EXAMPLES = (
    "sqlite:////var/lib/leaf/gateway.db, postgresql://user:password@host/database "
    "or mssql://user:password@host/database"
)


def database_url(settings: "Settings") -> str:
    """The URL that the settings name: `database_url`, else a SQLite file in the data folder."""
    return settings.database_url or f"sqlite:///{settings.data_dir / 'gateway.db'}"


def open_database(url: str) -> Engine:
    """An engine; nothing is connected yet, so a database that is down is noticed by its first use.

    Raises:
        InvalidDatabaseUrlError: not a URL of SQLite (a file), PostgreSQL or SQL Server, or its driver is missing.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidDatabaseUrlError(f"GATEWAY_DATABASE_URL is no database URL. Use {_EXAMPLES}.") from error
    opener = {
        "sqlite": _open_sqlite,
        "postgresql": _open_postgresql,
        "postgres": _open_postgresql,
        "mssql": _open_sql_server,
    }.get(parsed.drivername.split("+")[0])
    if opener is None:
        raise InvalidDatabaseUrlError(f"GATEWAY_DATABASE_URL names {parsed.drivername!r}. Use {_EXAMPLES}.")
    try:
        return opener(parsed)
    except (ImportError, NoSuchModuleError) as error:
        raise InvalidDatabaseUrlError(
            f"The driver for {parsed.drivername!r} cannot be loaded ({error}). SQL Server needs unixODBC and Microsoft's "
            "ODBC Driver 18 on the machine; PostgreSQL needs the package psycopg."
        ) from error


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """A transaction that will write, committed at the end of the block.

    In SQLite it takes the write lock at once: one that reads first and writes later fails where another worker wrote
    in between, however long it would wait.
    """
    with engine.execution_options(leaf_writes=True).begin() as connection:
        yield connection


def _open_sqlite(url: URL) -> Engine:
    if url.database in (None, "", ":memory:") or url.query:
        raise InvalidDatabaseUrlError(
            "GATEWAY_DATABASE_URL must name a SQLite file without options, such as sqlite:////var/lib/leaf/gateway.db."
        )
    Path(str(url.database)).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"), connect_args={"timeout": _SQLITE_BUSY_TIMEOUT_S}, **_DISCREET
    )

    def configure(connection: Any, _: object) -> None:
        connection.isolation_level = None  # no hidden BEGIN of the driver: begin() below decides
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")  # readers and the one writer do not wait for each other
        cursor.execute("PRAGMA synchronous = NORMAL")  # a killed process loses nothing; a power cut the last moments
        cursor.execute("PRAGMA foreign_keys = ON")
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
            "application_name": "leaf-gateway",
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_S}s",
            "tcp_user_timeout": STATEMENT_TIMEOUT_S * 1000,  # ms; a peer that vanished is noticed
        },
        pool_pre_ping=True,
        pool_timeout=CONNECT_TIMEOUT_S,
        **_DISCREET,
    )


def _open_sql_server(url: URL) -> Engine:
    if "driver" not in url.query:
        url = url.update_query_dict({"driver": "ODBC Driver 18 for SQL Server"})
    engine = create_engine(
        url.set(drivername="mssql+pyodbc"),
        connect_args={"timeout": CONNECT_TIMEOUT_S},
        pool_pre_ping=True,
        pool_timeout=CONNECT_TIMEOUT_S,
        **_DISCREET,
    )

    def configure(connection: Any, _: object) -> None:
        connection.timeout = STATEMENT_TIMEOUT_S

    event.listen(engine, "connect", configure)
    return engine
