"""`python -m gateway release`: list, promote, try out, take back and clear away releases."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer

from gateway.commands.comparison import comparison_text
from gateway.commands.database import command_database
from gateway.dashboard.periods import Hours
from gateway.errors import Problem, ReleaseRefused, RouteConflict
from gateway.releases.pruning import prune as prune_releases
from gateway.releases.routes import shell_user
from gateway.releases.routing import Route
from gateway.releases.switching import Switching
from gateway.settings import Settings, load_settings

app = typer.Typer(
    help="Releases: list, promote, try out, take back, clear away. Exit status: 0 done; 1 not possible now; 2 wrong usage; "
    "3 the release was refused and nothing changed; 4 somebody else changes releases.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
Number = Annotated[int, typer.Argument(metavar="N", min=1, help="Number of the release.")]
_REFUSED, _CONFLICT = 3, 4


@app.command("list")
def list_releases(as_json: Json = False) -> None:
    """List the releases that Triton has ready or the repository holds, with their part in the route."""
    states = run(lambda switching: switching.inventory())
    if as_json:
        typer.echo(json.dumps([asdict(state) for state in states]))
        return
    said = {True: "yes", False: "no", None: "?"}
    typer.echo("RELEASE  ROLE       LOADED  STORED")
    for state in states:
        line = f"{state.number:<7}  {state.role or '-':<9}  {said[state.loaded]:<6}  {said[state.stored]}"
        typer.echo(line)


@app.command()
def promote(number: Number, as_json: Json = False) -> None:
    """Load release N beside the one that answers, prove it, and have it answer; the one before stays loaded."""
    _move("promote", lambda route: route.promoted(number), as_json)


@app.command()
def canary(
    number: Annotated[str, typer.Argument(metavar="N|off", help="Number of the release, or off.")],
    share: Annotated[float, typer.Option(help="Percent of the callers that it answers.")] = 10.0,
    as_json: Json = False,
) -> None:
    """Load release N, prove it, and have it answer a share of the callers; each of them stays on one release."""
    wanted = _number_or_off(number)
    if wanted is None:
        _move("canary-off", Route.without_candidate, as_json)
    else:
        _move("canary", lambda route: route.with_candidate(wanted, share), as_json)


@app.command()
def shadow(
    number: Annotated[str, typer.Argument(metavar="N|off", help="Number of the release, or off.")],
    as_json: Json = False,
) -> None:
    """Load release N, prove it, and ask it beside the stable one, whose answer alone counts."""
    wanted = _number_or_off(number)
    if wanted is None:
        _move("shadow-off", Route.without_shadow, as_json)
    else:
        _move("shadow", lambda route: route.with_shadow(wanted), as_json)


@app.command()
def rollback(as_json: Json = False) -> None:
    """Have the previous release answer again, at once; nobody stays on a candidate."""
    _move("rollback", Route.rolled_back, as_json)


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which.")] = False, as_json: Json = False
) -> None:
    """Unload and delete releases that the route does not name: older ones, and those that were used before.

    A newer one that was never tried stays. Needs GATEWAY_MODEL_REPOSITORY.
    """
    numbers = run(lambda switching: prune_releases(switching, dry_run=dry_run))
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "releases": numbers}))
    else:
        what = ", ".join(map(str, numbers)) or "no release"
        typer.echo(f"{'Would clear' if dry_run else 'Cleared'} away {what}.")


@app.command()
def compare(
    hours: Annotated[int, typer.Option(help="24, 168 or 720: how far back.")] = 24, as_json: Json = False
) -> None:
    """Show the candidate, else the previous release, and the shadow beside the stable release."""
    if hours not in tuple(Hours):
        raise typer.BadParameter("say 24, 168 or 720", param_hint="--hours")
    found = run(lambda switching: switching.compare(Hours(hours)))
    typer.echo(found.model_dump_json() if as_json else comparison_text(found))


def _move(action: str, change: Callable[[Route], Route], as_json: bool) -> None:
    moved = run(lambda switching: switching.move(action, change))
    print_route(moved, as_json)


def run(work: Callable[[Switching], Awaitable[Any]]) -> Any:
    """What `work` returns; a problem ends the command with one sentence and its status."""
    settings = load_settings()
    with command_database(settings) as engine:
        try:
            return asyncio.run(_with_switching(settings, engine, work))
        except Problem as problem:
            typer.echo(problem.detail, err=True)
            status = {ReleaseRefused: _REFUSED, RouteConflict: _CONFLICT}
            code = next((code for kind, code in status.items() if isinstance(problem, kind)), 1)
            raise typer.Exit(code) from problem


async def _with_switching(settings: Settings, engine: Any, work: Callable[[Switching], Awaitable[Any]]) -> Any:
    switching = Switching(settings, engine, shell_user(), lambda words: print(words, file=sys.stderr, flush=True))  # noqa: T201
    try:
        return await work(switching)
    finally:
        await switching.close()


def print_route(route: Route, as_json: bool) -> None:
    """A route as JSON, or as a line for each of its releases."""
    if as_json:
        typer.echo(json.dumps(told(route)))
        return
    typer.echo(f"{route.task}: release {route.stable} answers")
    if route.candidate is not None:
        typer.echo(f"  candidate {route.candidate} answers {route.candidate_share:g} % of the callers")
    if route.shadow is not None:
        typer.echo(f"  shadow {route.shadow} is asked beside it")
    if route.previous is not None:
        typer.echo(f"  previous {route.previous} stays loaded")


def told(route: Route) -> dict[str, Any]:
    """A route as JSON shows it."""
    names = ("task", "stable", "candidate", "candidate_share", "shadow", "previous", "version", "changed_by")
    return {name: getattr(route, name) for name in names} | {"changed_at": route.changed_at.isoformat()}


def _number_or_off(text: str) -> int | None:
    if text == "off":
        return None
    if not text.isdecimal() or int(text) == 0:
        raise typer.BadParameter("say the number of a release, or off", param_hint="N|off")
    return int(text)
