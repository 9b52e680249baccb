"""Lists the labelled photos of a data folder without opening them.

`kaggle`: `train.csv` with the columns `image_id,label`, the folder `train_images/`, and optionally
`label_num_to_disease_map.json`. `folders`: one folder per class. Either may lie in a subfolder, with the test photos in
another one; `label_map.json` translates class names of either.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from training.config.groups import DatasetConfig
from training.data.classes import ClassNames, read_label_map, task_of_names
from training.data.folders import class_folders, list_folders
from training.data.listing import Listing
from training.data.photos import Photo
from training.data.tables import IMAGES, TABLE, list_table
from training.errors import DataLayoutError, LabelError
from training.tasks import Task, check_label_map, load_task

DISEASE_MAP = "label_num_to_disease_map.json"
TASK_FILE = "task.json"
"""In the data folder; the task `auto` prefers it to what folders and label maps say."""
_PARTS = frozenset({"train", "training", "valid", "validation", "val", "test", "testing"})


def list_photos(root: Path, config: DatasetConfig, task: Task | None = None) -> Listing:
    """List photos and what is wrong with the list.

    Args:
        root: the data folder.
        config: task, layout, subfolders, limit.
        task: wins over `config.task`.

    Raises:
        DataLayoutError: a folder, table or column is missing, or there is no photo.
        LabelError: a label map contradicts the task or cannot be read.
        ConfigurationError: the task is not known.
    """
    if not root.is_dir():
        raise DataLayoutError(f"{root} does not exist: give --data a folder of photos.")
    folder = _subfolder(root, config.train_subfolder, "train_subfolder")
    task = task or _task(folder, root, config)
    train = _list(folder, root, task, config)
    if not config.test_subfolder:
        return train
    test = _list(_subfolder(root, config.test_subfolder, "test_subfolder"), root, task, config)
    if both := {photo.path for photo in train.photos} & {photo.path for photo in test.photos}:
        raise DataLayoutError(
            f"{min(both)} is a test photo and a training photo: give dataset.train_subfolder a folder apart from "
            f"{config.test_subfolder}."
        )
    return Listing(
        task,
        sorted(train.photos + test.photos, key=lambda photo: photo.image_id),
        frozenset(photo.image_id for photo in test.photos),
        train.problems + test.problems,
        hashlib.sha256(f"{train.table_sha256}{test.table_sha256}".encode()).hexdigest(),
    )


def described(config: DatasetConfig, presets: str) -> DatasetConfig:
    """The configuration, with the task read off the data where neither a preset nor a flag names one."""
    if presets or "task" in config.model_fields_set:
        return config
    return config.model_copy(update={"task": "auto"})


def _subfolder(root: Path, name: str, option: str) -> Path:
    folder = root / name
    if name and (not folder.is_dir() or not folder.resolve().is_relative_to(root.resolve())):
        there = ", ".join(path.name for path in class_folders(root)) or "no folder"
        raise DataLayoutError(f"dataset.{option} is {name!r}, but {root} holds {there}: name a folder in it.")
    return folder


def _layout(folder: Path, config: DatasetConfig) -> str:
    if config.layout != "auto":
        return config.layout
    if (folder / TABLE).is_file():
        return "kaggle"
    names = [path.name for path in class_folders(folder)]
    if names and {name.lower() for name in names} <= _PARTS:
        first = next((name for name in names if name.lower().startswith("train")), names[0])
        others = [name for name in names if name != first]
        raise DataLayoutError(
            f"{folder} is divided into {', '.join(names)}: say what to learn from and what to keep for the test, with "
            f"--dataset.train_subfolder {first}" + (f" --dataset.test_subfolder {others[0]}." if others else ".")
        )
    if len(names) < 2:
        raise DataLayoutError(
            f"{folder / TABLE} does not exist, nor are there class folders: give --data a folder with {TABLE} and "
            f"{IMAGES}/, or with one folder of photos per class."
        )
    return "folders"


def _task(folder: Path, root: Path, config: DatasetConfig) -> Task:
    if config.task != "auto":
        return load_task(config.task)
    for path in (folder / TASK_FILE, root / TASK_FILE):
        if path.is_file():
            return load_task(str(path))
    subject = root.resolve().name or "photos"
    if _layout(folder, config) == "folders":
        return task_of_names([path.name for path in class_folders(folder)], subject)
    try:
        named = json.loads((folder / DISEASE_MAP).read_text(encoding="utf-8"))
        names = [str(named[str(label)]) for label in range(len(named))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabelError(
            f"dataset.task is auto, but {folder / DISEASE_MAP} does not name the classes 0, 1, 2 ...: {error!r}. "
            "Write it, or give --dataset.task."
        ) from error
    return task_of_names(names, subject)


def _list(folder: Path, root: Path, task: Task, config: DatasetConfig) -> Listing:
    names = ClassNames(task, read_label_map(folder) or read_label_map(root))
    if kaggle := _layout(folder, config) == "kaggle":
        if (folder / DISEASE_MAP).is_file():
            check_label_map(task, folder / DISEASE_MAP)
        listing = list_table(folder, root, task, names)
    else:
        listing = list_folders(folder, root, task, names)
    if not listing.photos:
        detail = "".join(f"\n  {problem}" for problem in listing.problems[:10])
        raise DataLayoutError(f"{folder / TABLE if kaggle else folder} lists no photos that can be used.{detail}")
    photos = sorted(listing.photos, key=lambda photo: photo.image_id)
    return replace(listing, photos=_spread(photos, config.limit))


def _spread(photos: list[Photo], limit: int) -> list[Photo]:
    """At most `limit` photos per class, evenly over its sorted ids: neighbours are often shots of one plant."""
    kept = []
    for label in sorted({photo.label for photo in photos}) if limit else ():
        group = [photo for photo in photos if photo.label == label]
        kept += [group[index * len(group) // limit] for index in range(limit)] if len(group) > limit else group
    return sorted(kept, key=lambda photo: photo.image_id) if limit else photos
