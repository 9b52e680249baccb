"""The layout `folders`: one folder per class, its photos anywhere below."""

from __future__ import annotations

import hashlib
from pathlib import Path

from training.data.classes import ClassNames
from training.data.listing import SUFFIXES, Listing, below, files_below, hidden, odd_name
from training.data.photos import Photo
from training.data.problems import Problem
from training.tasks import Task


def class_folders(folder: Path) -> list[Path]:
    """Folders that are not hidden, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not hidden(path.name))


def list_folders(folder: Path, root: Path, task: Task, names: ClassNames) -> Listing:
    """List the photos of all class folders in `folder`; image ids are paths below `root`."""
    photos: list[Photo] = []
    problems = [
        Problem("not listed", below(path, root), "it lies in no class folder", "Move it into one, or remove it")
        for path in sorted(folder.iterdir())
        if path.is_file() and path.suffix.lower() in SUFFIXES
    ]
    for place in class_folders(folder):
        inside = list(files_below(place))
        label = names.label(place.name)
        if label is None:
            problems.append(
                Problem(
                    "unknown label",
                    below(place, root),
                    f"task {task.task} has no such class; the folder holds {len(inside)} files",
                    'Rename the folder to a class key, or translate it in label_map.json: {"folder": "class key"}',
                )
            )
            continue
        for path in inside:
            found = _file(path, below(path, root), label)
            if isinstance(found, Photo):
                photos.append(found)
            else:
                problems.append(found)
    lines = "".join(sorted(f"{photo.image_id}\t{photo.label}\n" for photo in photos))
    return Listing(task, photos, problems=problems, table_sha256=hashlib.sha256(lines.encode()).hexdigest())


def _file(path: Path, image_id: str, label: int) -> Photo | Problem:
    if path.suffix.lower() not in SUFFIXES:
        return Problem("not listed", image_id, "its name does not end like an image's", "Rename or remove it")
    if problem := odd_name(image_id, image_id):
        return problem
    if not path.is_file():
        return Problem("missing", image_id, "a link that leads nowhere, or no plain file", "Restore or remove it")
    return Photo(image_id, path, label)
