"""`python -m gateway export-feedback`: what experts have confirmed, as a data set that training reads."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands.database import command_database
from gateway.errors import ExportError
from gateway.records.exporting import TaskClasses, task_classes
from gateway.records.exporting import export_feedback as export_record
from gateway.records.photos import PhotoStore
from gateway.settings import Settings, load_settings
from gateway.triton.client import Triton
from gateway.triton.releases import Releases

_PARTS = ("task", "crop", "languages", "classes")


def export_feedback(
    out: Annotated[Path, typer.Option(help="Folder to write; must not exist yet.")],
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only what was reviewed on this day (UTC) or later.")
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="classes.json of a trained model; else the served release is asked."
        ),
    ] = None,
) -> None:
    """Write confirmed feedback with kept photos as train.csv, train_images/ and the classes in label order.

    `python -m training fit --data OUT --dataset.task OUT/classes.json ...` reads it. Exit status: 0; 1 with a sentence where
    nothing was written.
    """
    settings = load_settings()
    with command_database(settings) as engine:
        wanted = _from_file(classes) if classes is not None else asyncio.run(_from_release(settings))
        photos = PhotoStore(settings.data_dir / "photos")
        moment = since.replace(tzinfo=UTC) if since is not None else None
        exported = export_record(engine, photos, wanted, out, moment)
    typer.echo(
        f"Wrote {exported.photos} photos of task {wanted.task} to {out}. Left out: {exported.same_photo} of a photo "
        f"that is there already, {exported.without_photo} without a kept photo, {exported.other_task} of another task."
    )


def _from_file(path: Path) -> TaskClasses:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{path} cannot be read: {error}.") from error
    return task_classes(document)


async def _from_release(settings: Settings) -> TaskClasses:
    """The classes of the release that answers now."""
    triton = Triton(settings)
    try:
        releases = Releases(triton, settings.poll_interval_s)
        await releases.refresh()
        parameters = releases.chosen().parameters
    finally:
        await triton.close()
    return task_classes({part: json.loads(parameters[part]) for part in _PARTS if part in parameters})
