"""`python -m gateway`: serve the application until SIGINT or SIGTERM, or run one of the commands beside it."""

import os
import sys

import typer
from pydantic import ValidationError

from gateway.commands import feedback, keys, purge, releases, upgrading
from gateway.commands.settings import settings as print_settings
from gateway.database import database_url, open_database, upgrade
from gateway.errors import StartError
from gateway.logs import configure_logs
from gateway.settings import Settings, load_settings

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)
app.add_typer(keys.app, name="keys")
app.add_typer(releases.app, name="release")
app.command("purge")(purge.purge)
app.command("upgrade")(upgrading.upgrade)
app.command("settings")(print_settings)
app.command("export-feedback")(feedback.export_feedback)


@app.callback(invoke_without_command=True)
def serve_by_default(context: typer.Context) -> None:
    """Serve, where no command is named; everything is set by environment variables GATEWAY_... (gateway/settings.py)."""
    if context.invoked_subcommand is not None:
        return
    from gateway.serving import serve  # the server, which a command such as a rollback must not wait for

    settings = load_settings()
    configure_logs(settings.log_level)
    try:
        _prepare(settings)
        code = serve(settings)
    except StartError as error:
        typer.echo(f"gateway: {error}", err=True)
        code = 1
    raise typer.Exit(code)


def _prepare(settings: Settings) -> None:
    """Bring the database up to date once, before any worker; refuse strangers where nobody can be told apart."""
    from gateway.access.starting import require_credentials_configured

    engine = open_database(database_url(settings))
    try:
        upgrade(engine)
        require_credentials_configured(settings, engine)
    finally:
        engine.dispose()


def main() -> None:
    """Run; settings that are not valid end with a line each, without their values: they may be secrets."""
    os.umask(0o077)  # database, photos and exports are for nobody else on this machine
    try:
        app()
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name = "_".join(map(str, fault["loc"])).upper()
            typer.echo(f"gateway: GATEWAY_{name}: {fault['msg']}" if name else f"gateway: {fault['msg']}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
