"""What the commands on the record share: the database that the settings name, and failing with one sentence."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import typer
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from gateway.database import database_url, open_database, upgrade
from gateway.errors import DatabaseUnreachableError, Problem, StartError
from gateway.settings import Settings


@contextmanager
def command_database(settings: Settings) -> Iterator[Engine]:
    """The database with this version's schema; what goes wrong in the block ends the command with status 1."""
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),  # stdout is for the answer
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
    )
    try:
        engine = open_database(database_url(settings))
        try:
            upgrade(engine)
            yield engine
        except DBAPIError as error:
            raise DatabaseUnreachableError("The database did not answer. Run the command again later.") from error
        finally:
            engine.dispose()
    except StartError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    except Problem as problem:
        typer.echo(problem.detail, err=True)
        raise typer.Exit(1) from problem
