"""`python -m gateway upgrade`: the database's schema of this version, before any gateway of it starts."""

import typer

from gateway.commands.database import command_database
from gateway.settings import load_settings


def upgrade() -> None:
    """Bring the database to this version's schema and end; every start does the same."""
    with command_database(load_settings()) as engine:
        typer.echo(f"{engine.url.render_as_string()} has this version's schema")
