"""Several data folders to one, such as base data and what experts have confirmed since."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from training.config.groups import DatasetConfig
from training.data.layouts import list_photos
from training.data.photos import Photo
from training.data.problems import refuse
from training.errors import DataLayoutError
from training.tasks import Task


def merge(folders: Sequence[Path], task: Task, out: Path) -> dict[str, int]:
    """Write one folder that `fit` reads; a photo that lies in several keeps the label of the last of them.

    A photo is the same where its file is. Where only its name is, it gets the number of its folder before it.

    Args:
        folders: in Kaggle's layout or one folder per class, of the same task.
        out: must not exist, or be empty.

    Returns:
        Photos taken from each folder, by its name.

    Raises:
        DataLayoutError: `out` holds something, or cannot be written.
        DataError: as `list_photos`, of any folder; a row or file of any is unusable.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataLayoutError(f"{out} exists already and is not touched: name a new folder.")
    chosen: dict[str, tuple[int, Photo]] = {}
    for place, folder in enumerate(folders):
        listing = list_photos(folder, DatasetConfig(), task)
        refuse(listing.problems, folder)
        for photo in listing.photos:
            chosen[_sha256(photo.path)] = (place, photo)
    try:
        _write(sorted(chosen.values(), key=lambda each: (each[0], each[1].image_id)), task, out)
    except OSError as error:
        raise DataLayoutError(f"{out} cannot be written: {error}. Give --out a folder you may write to.") from error
    places = [place for place, _ in chosen.values()]
    return {str(folder): places.count(place) for place, folder in enumerate(folders)}


def _write(chosen: Sequence[tuple[int, Photo]], task: Task, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        aside = Path(scratch) / out.name
        images = aside / "train_images"
        images.mkdir(parents=True)
        with (aside / "train.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("image_id", "label"))
            for place, photo in chosen:
                name = photo.image_id if not (images / photo.image_id).exists() else f"{place}-{photo.image_id}"
                (images / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(photo.path, images / name)
                table.writerow((name, photo.label))
        names = json.dumps(dict(enumerate(task.names)), ensure_ascii=False, indent=2)
        (aside / "label_num_to_disease_map.json").write_text(names + "\n", encoding="utf-8")
        aside.replace(out)  # onto an empty folder too


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
