"""Brings the database to this version's schema when the bot starts."""

import logging
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from bot.database.engine import write
from bot.errors import DatabaseUnreachableError, NewerDatabaseError

log = structlog.get_logger()
logging.getLogger("alembic").setLevel(logging.WARNING)  # it names its dialect at every start

_LOCK = 0x1EB0  # any number that nobody else locks


def migrations() -> Config:
    """Alembic's configuration: where the migrations lie."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(engine: Engine) -> None:
    """Run the migrations that are missing, in one transaction; whoever comes second waits and finds them done.

    Raises:
        DatabaseUnreachableError: no connection, or the tables may not be read or changed.
        NewerDatabaseError: the database was written by a newer version.
    """
    try:
        with engine.connect() as connection:
            if is_current(connection):
                return
        with write(engine) as connection:
            _lock(connection)
            if not is_current(connection):
                config = migrations()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                log.info("database upgraded", version=ScriptDirectory.from_config(config).get_current_head())
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[:1]
        raise DatabaseUnreachableError(
            f"The database at {engine.url.render_as_string()} cannot be used: {' '.join(reason)}. "
            "Check BOT_DATABASE_URL, that it runs, and that its user may create tables."
        ) from error


def is_current(connection: Connection) -> bool:
    """Whether the database has this version's schema.

    Raises:
        NewerDatabaseError: it was written by a newer version.
    """
    scripts = ScriptDirectory.from_config(migrations())
    found = MigrationContext.configure(connection).get_current_heads()
    known = {script.revision for script in scripts.walk_revisions()}
    if unknown := set(found) - known:
        raise NewerDatabaseError(
            f"The database at {connection.engine.url.render_as_string()} has version {', '.join(sorted(unknown))}, which "
            f"this bot does not know (it knows up to {scripts.get_current_head()}). Start the newer bot, or "
            "restore the backup made before it."
        )
    return found == (scripts.get_current_head(),)


def _lock(connection: Connection) -> None:
    """Hold the right to migrate until the transaction ends; SQLite's write lock is that right already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
