"""`python -m gateway keys`: make, list and revoke API keys."""

from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy import Engine

from gateway.access import key_store
from gateway.access.caller import Scope
from gateway.commands.database import command_database
from gateway.settings import load_settings

app = typer.Typer(
    help="API keys: make, list, revoke.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they may hold a key
)

_MAX_NAME_CHARACTERS = 80
_NOTHING = "-"


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Who will use it, for the list; at most 80 characters.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; repeat for several.")],
    replace: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Key whose successor it is: what was answered to that one belongs to both. That one stays valid until it is "
            "revoked.",
        ),
    ] = None,
) -> None:
    """Make a key and print it, this once: only its hash is stored."""
    name = name.strip()
    if not 0 < len(name) <= _MAX_NAME_CHARACTERS or not name.isprintable():
        raise typer.BadParameter(f"a name has 1 to {_MAX_NAME_CHARACTERS} printable characters", param_hint="--name")
    with command_database(load_settings()) as engine:
        key = key_store.create_key(engine, name, set(scope), _owner_of(engine, replace) if replace else None)
    if replace:
        typer.echo(f"Once it is in use, end the old one: python -m gateway keys revoke {replace}", err=True)
    typer.echo("Keep it now, it is not shown again:", err=True)
    typer.echo(key)


@app.command("list")
def list_keys() -> None:
    """List all keys, without their secrets; times in UTC."""
    rows: list[tuple[str, ...]] = [("ID", "OWNER", "NAME", "SCOPES", "CREATED", "LAST USED", "REVOKED")]
    with command_database(load_settings()) as engine:
        for key in key_store.read_keys(engine):
            times = (_written(moment) for moment in (key.created_at, key.last_used_at, key.revoked_at))
            rows.append((key.id, key.owner, key.name, ",".join(sorted(key.scopes)) or _NOTHING, *times))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="First part of the key, as listed.")]) -> None:
    """Revoke a key for ever; running gateways refuse it within 2 seconds."""
    with command_database(load_settings()) as engine:
        revoked = key_store.revoke_key(engine, key_id)
    if not revoked:
        typer.echo(f"There is no active key {key_id!r}; 'python -m gateway keys list' shows them.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Key {key_id} is revoked.", err=True)


def _owner_of(engine: Engine, key_id: str) -> str:
    owner = next((key.owner for key in key_store.read_keys(engine) if key.id == key_id), None)
    if owner is None:
        typer.echo(f"There is no key {key_id!r}; 'python -m gateway keys list' shows them.", err=True)
        raise typer.Exit(1)
    return owner


def _written(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else _NOTHING
