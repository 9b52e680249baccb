"""Photos that export reads: samples to check a conversion on, and those that a member's evaluation names."""

import io
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from PIL import Image, ImageOps

from export.errors import ExportError
from export.leaf_drawing import draw_leaf

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png"}
CALIBRATION = 16
"""Photos that int8 is calibrated on."""
THUMBNAIL_SIDES = (64, 360)
THUMBNAIL_QUALITIES = (70, 80, 90, 95)
T = TypeVar("T")


def sample_photos(folder: Path | None, count: int) -> list[Image.Image]:
    """`count` photos from all over a folder; drawn leaves where no folder is given.

    Raises:
        ExportError: the folder holds no photo.
    """
    if folder is None:
        return [draw_leaf(seed) for seed in range(count)]
    return [read_photo(file) for file in spread(photo_files(folder), count)]


def calibration_photos(folder: Path | None, checked: int) -> list[Image.Image]:
    """Photos from all over a folder that are not among the `checked` ones of `sample_photos`; none without a folder.

    Raises:
        ExportError: it holds no others.
    """
    if folder is None:
        return []
    files = photo_files(folder)
    others = sorted(set(files) - set(spread(files, checked)))
    if not others:
        raise ExportError(f"{folder} holds no photos beyond the {checked} of the checks: int8 is calibrated on others.")
    return [read_photo(file) for file in spread(others, CALIBRATION)]


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most `count` of them, evenly over their order: sorted by name, the first ones are often all of one class."""
    if len(items) <= count:
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]


def photo_files(folder: Path) -> list[Path]:
    """All photos below a folder, by name.

    Raises:
        ExportError: it holds none.
    """
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PHOTO_SUFFIXES)
    if not files:
        raise ExportError(
            f"{folder} holds no photo ({', '.join(sorted(PHOTO_SUFFIXES))}): give another --photos folder."
        )
    return files


def named_files(folder: Path, image_ids: Iterable[str]) -> list[Path]:
    """The files below a folder that an evaluation names, by path or by name; those that are not there are left out."""
    files = photo_files(folder)
    found = {file.name: file for file in files} | {file.relative_to(folder).as_posix(): file for file in files}
    return [found[image_id] for image_id in image_ids if image_id in found]


def read_photo(file: Path) -> Image.Image:
    """One photo, upright.

    Raises:
        ExportError: it cannot be decoded.
    """
    try:
        with Image.open(file) as picture:
            return ImageOps.exif_transpose(picture).convert("RGB")
    except OSError as error:
        raise ExportError(f"{file} cannot be decoded ({error}): remove it or give another --photos folder.") from error


def thumbnail(photo: Image.Image, seed: int) -> Image.Image:
    """The photo as small as messengers and search engines make it: a side of 64 to 360 px, JPEG again."""
    rng = random.Random(seed)
    low, high = THUMBNAIL_SIDES
    side = low * (high / low) ** rng.random()
    scale = min(1.0, side / min(photo.size))
    small = photo.resize(
        (max(1, round(photo.width * scale)), max(1, round(photo.height * scale))), Image.Resampling.LANCZOS
    )
    encoded = io.BytesIO()
    small.save(encoded, "JPEG", quality=rng.choice(THUMBNAIL_QUALITIES))
    return Image.open(encoded).convert("RGB")
