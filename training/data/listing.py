"""What the layouts have in common: labelled files not yet opened, and what their names tell."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from training.data.photos import Photo
from training.data.problems import Problem
from training.tasks import Task

_FORMATS = "jpg jpeg jpe jfif png webp bmp tif tiff gif heic heif avif jp2 ppm pgm ico psd"
SUFFIXES = frozenset(f".{name}" for name in _FORMATS.split())
_ODD = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]|^\s|\s$")
_CLUTTER = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Listing:
    """Labelled files; photos are sorted by image id, those of the test folder among them."""

    task: Task
    photos: list[Photo]
    test_ids: frozenset[str] = frozenset()
    problems: list[Problem] = field(default_factory=list)
    table_sha256: str = ""
    """Hash of train.csv's bytes; of class folders: of lines `image id<tab>label`, sorted. Two folders: of both hashes."""


def files_below(folder: Path) -> Iterator[Path]:
    """Every file, sorted by folder and name, but hidden ones and what file managers leave; links to folders are not followed."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not hidden(name))
        for name in sorted(names):
            if not hidden(name) and name.lower() not in _CLUTTER:
                yield Path(place, name)


def hidden(name: str) -> bool:
    """Whether a file or folder is not meant to be seen, such as `.DS_Store` or `__MACOSX`."""
    return name.startswith((".", "__"))


def below(path: Path, root: Path) -> str:
    """Path below the data folder, with forward slashes."""
    return path.relative_to(root).as_posix()


def odd_name(image_id: str, where: str) -> Problem | None:
    """A problem where a name would break tables and archives."""
    if not _ODD.search(image_id):
        return None
    return Problem(
        "odd name",
        where.encode("unicode_escape").decode(),
        "control characters, bytes that are no text, or blanks at an end",
        "Rename the file: such names break tables and archives",
    )
