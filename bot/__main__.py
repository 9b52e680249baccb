"""`python -m bot`: run the bot until SIGINT or SIGTERM, or one of the commands beside it."""

import asyncio
import os
import sys

import typer
from pydantic import ValidationError

from bot.commands.check import check
from bot.commands.settings import settings as print_settings
from bot.errors import StartError
from bot.logs import configure_logs
from bot.running import run
from bot.secrets import read_gateway_key, read_token
from bot.settings import Settings, load_settings

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)
app.command("check")(check)
app.command("settings")(print_settings)


@app.callback(invoke_without_command=True)
def run_by_default(context: typer.Context) -> None:
    """Run, where no command is named; everything is set by environment variables BOT_... (bot/settings.py)."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    try:
        token = read_token(settings)
        configure_logs(settings.log_level, _secrets(settings, token))
        asyncio.run(run(settings, token))
    except StartError as error:
        typer.echo(f"bot: {error}", err=True)
        raise typer.Exit(1) from error


def _secrets(settings: Settings, token: str) -> list[str]:
    """What may stand in no line of the log."""
    kept = (settings.webhook_secret, settings.salt)
    return [token, read_gateway_key(settings) or "", *(secret.get_secret_value() for secret in kept)]


def main() -> None:
    """Run; settings that are not valid end with a line each, without their values: they may be secrets."""
    os.umask(0o077)  # database and salt are for nobody else on this machine
    try:
        app()
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name = "_".join(map(str, fault["loc"])).upper()
            typer.echo(f"bot: BOT_{name}: {fault['msg']}" if name else f"bot: {fault['msg']}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
