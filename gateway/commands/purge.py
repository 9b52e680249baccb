"""`python -m gateway purge`: forget what is older than the retention time."""

from typing import Annotated

import typer

from gateway.commands.database import command_database
from gateway.records.photos import PhotoStore
from gateway.records.purging import purge as purge_record
from gateway.settings import load_settings


def purge(
    older_than_days: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Days; GATEWAY_RETENTION_DAYS where it is not given.", show_default=False
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
) -> None:
    """Delete predictions, feedback and photos that are too old, and photo files without a prediction.

    A running gateway does this by itself once a day. Exit status: 0, or 1 with a sentence that says why not.
    """
    settings = load_settings()
    days = settings.retention_days if older_than_days is None else older_than_days
    with command_database(settings) as engine:
        purged = purge_record(engine, PhotoStore(settings.data_dir / "photos"), days, dry_run)
    typer.echo(
        f"{'Would delete' if dry_run else 'Deleted'} {purged.predictions} predictions"
        + (f" older than {days} days" if days else " (retention keeps all)")
        + f", {purged.feedback} feedbacks on them, {purged.photos} of their photos, "
        f"and {purged.orphans} files without a prediction."
    )
