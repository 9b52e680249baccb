"""Confirmed feedback with kept photos as a data set that training reads: the layout of Kaggle's cassava competition.

::

    train.csv                       image_id,label
    train_images/                   the photos
    label_num_to_disease_map.json   English class name by label
    classes.json                    the task: keys, names, advice in label order, as training's task files are
"""

import csv
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from gateway.database.schema import feedback, predictions
from gateway.errors import ExportError
from gateway.languages import ENGLISH
from gateway.records.photos import PhotoStore


@dataclass(frozen=True, slots=True)
class TaskClasses:
    """The classes whose positions become the labels."""

    task: str
    keys: tuple[str, ...]
    names: tuple[str, ...]
    document: Mapping[str, Any]
    """What `classes.json` is to hold."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What became of the confirmed feedback."""

    photos: int
    """Written to the data set."""
    same_photo: int
    """Left out: another, later reviewed feedback is about the same photo."""
    without_photo: int
    other_task: int
    """Left out: another task, or a class that this release does not have."""


def task_classes(document: Mapping[str, Any]) -> TaskClasses:
    """The classes of a `classes.json`, or of a release's parameters.

    Raises:
        ExportError: a part is missing.
    """
    try:
        classes = document["classes"]
        keys = tuple(str(item["key"]) for item in classes)
        names = tuple(str(item["names"].get(ENGLISH) or item["key"]) for item in classes)
        return TaskClasses(str(document["task"]), keys, names, document)
    except (KeyError, TypeError, AttributeError) as error:
        raise ExportError(f"The classes cannot be read: {error!r} is missing or has the wrong form.") from error


def export_feedback(
    engine: Engine, photos: PhotoStore, classes: TaskClasses, out: Path, since: datetime | None = None
) -> Exported:
    """Write the data set; an existing folder is never touched, and a failed export leaves none behind.

    Args:
        engine: of the database.
        photos: where photos are kept.
        classes: of the task whose predictions are exported.
        out: folder to write; must not exist, or be empty.
        since: only feedback that was reviewed from then on.

    Raises:
        ExportError: the folder is there already or cannot be written, or there is nothing to export.
        sqlalchemy.exc.DBAPIError: the database does not answer.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExportError(f"{out} exists already and is not touched. Name a new folder.")
    with engine.connect() as connection:
        rows = _confirmed(connection, since)
    chosen: dict[str, Any] = {}
    same_photo = without_photo = other_task = 0
    for row in rows:  # the latest review first
        if row.task != classes.task or row.confirmed_class_key not in classes.keys:
            other_task += 1
        elif not row.photo_kept or not photos.path(row.prediction_id).is_file():
            without_photo += 1
        elif row.photo_sha256 in chosen:
            same_photo += 1
        else:
            chosen[row.photo_sha256] = row
    if not chosen:
        raise ExportError(
            f"There is nothing to export: of {len(rows)} confirmed, {without_photo} have no kept photo and {other_task} "
            "belong to another task."
        )
    try:
        _write(out, photos, classes, sorted(chosen.values(), key=lambda row: str(row.prediction_id)))
    except OSError as error:
        raise ExportError(f"{out} cannot be written: {error}.") from error
    return Exported(len(chosen), same_photo, without_photo, other_task)


def _confirmed(connection: Connection, since: datetime | None) -> Sequence[Any]:
    said = (feedback.c.prediction_id, feedback.c.confirmed_class_key)
    about = (predictions.c.task, predictions.c.photo_kept, predictions.c.photo_sha256)
    query = select(*said, *about).join(predictions).where(feedback.c.status == "confirmed")
    if since is not None:
        query = query.where(feedback.c.reviewed_at >= since)
    return connection.execute(query.order_by(feedback.c.reviewed_at.desc(), feedback.c.id)).all()


def _write(out: Path, photos: PhotoStore, classes: TaskClasses, rows: Sequence[Any]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        (aside / "train_images").mkdir()
        with (aside / "train.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("image_id", "label"))
            for row in rows:
                name = f"{row.prediction_id}.jpg"
                shutil.copyfile(photos.path(row.prediction_id), aside / "train_images" / name)
                table.writerow((name, classes.keys.index(row.confirmed_class_key)))
        names = {str(label): name for label, name in enumerate(classes.names)}
        _write_json(aside / "label_num_to_disease_map.json", names)
        _write_json(aside / "classes.json", classes.document)
        aside.replace(out)  # onto an empty folder too
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
