"""`python -m bot check`: is everything right?"""

import asyncio

import typer

from bot.checking import findings
from bot.logs import silence_logs
from bot.settings import load_settings


def check() -> None:
    """Say in plain words whether token, webhook, gateway and database are right; exit status 1 where one is not."""
    silence_logs()
    if not asyncio.run(_check()):
        raise typer.Exit(1)


async def _check() -> bool:
    right = True
    async for finding in findings(load_settings()):
        typer.echo(f"{'ok' if finding.is_right else 'fails':<6} {finding.about:<9} {finding.says}")
        right &= finding.is_right
    return right
