"""Labelled photos on disk (Kaggle layout) and in memory.

Layout: `train.csv` with the columns `image_id,label`, the folder `train_images/`, and optionally
`label_num_to_disease_map.json`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional
from tqdm import tqdm  # type: ignore[import-untyped]

from training.errors import DataLayoutError, LabelError, PhotoError
from training.tasks import Task, check_label_map

T = TypeVar("T")

MAX_PIXELS = 89_478_485
"""Pillow's own limit, above which it suspects a decompression bomb."""
UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    ZeroDivisionError,
    OverflowError,
    MemoryError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""What Pillow's decoders raise on damaged files."""


@dataclass(frozen=True)
class Photo:
    """One labelled file; `label` is the position of its class in the task."""

    image_id: str
    path: Path
    label: int


@dataclass(frozen=True)
class Fingerprint:
    """What identifies a photo: sha256 of its bytes (hex), 64 bits of perceptual hash, size upright in pixels."""

    sha256: str
    dhash: NDArray[np.bool_]
    width: int
    height: int


def progress(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Show a progress bar on stderr where it is a terminal; `total` where `items` has no length."""
    yield from tqdm(items, desc=description, total=total, disable=None, unit="photo")


def read_photos(root: Path, task: Task) -> list[Photo]:
    """List the labelled photos below `root`, sorted by image id.

    Raises:
        DataLayoutError: train.csv or one of its columns is missing, or it lists no photo.
        LabelError: a label is no number, out of range or given twice, or the label map contradicts the task.
        PhotoError: a listed file does not exist.
    """
    table = root / "train.csv"
    if not table.is_file():
        raise DataLayoutError(f"{table} does not exist: give --data a folder with train.csv and train_images/.")
    label_map = root / "label_num_to_disease_map.json"
    if label_map.is_file():
        check_label_map(task, label_map)
    photos: dict[str, Photo] = {}
    with table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if missing := {"image_id", "label"} - set(reader.fieldnames or ()):
            raise DataLayoutError(f"{table} lacks the column {', '.join(sorted(missing))}; expected image_id,label.")
        for row in reader:
            photo = _photo(root, row["image_id"] or "", row["label"], len(task.classes), f"{table}:{reader.line_num}")
            if photo.image_id in photos:
                raise LabelError(f"{table}:{reader.line_num}: {photo.image_id} is listed twice; remove one line.")
            photos[photo.image_id] = photo
    if not photos:
        raise DataLayoutError(f"{table} lists no photos.")
    return [photos[image_id] for image_id in sorted(photos)]


def _photo(root: Path, image_id: str, label: str | None, classes: int, line: str) -> Photo:
    if label is None or not label.strip().isdigit() or int(label) >= classes:
        raise LabelError(f"{line}: label {label!r} of {image_id or 'an unnamed photo'} must be 0 to {classes - 1}.")
    path = root / "train_images" / image_id
    if not image_id or not path.is_file():
        raise PhotoError(f"{line}: {path} does not exist; restore the file or remove the line.")
    return Photo(image_id, path, int(label))


def open_photo(path: Path) -> Image.Image:
    """Decode a photo to RGB, upright as its EXIF orientation says.

    Raises:
        PhotoError: the file is missing, truncated or no image.
    """
    return _decode(_read(path), path)


def fingerprint(path: Path) -> Fingerprint:
    """Hash a photo's bytes and its look.

    The perceptual hash is the difference hash of N. Krawetz (2013, hackerfactor.com): 9 x 8 grey pixels, each compared
    with its right neighbour.

    Raises:
        PhotoError: as `open_photo`.
    """
    content = _read(path)
    # A reduced JPEG decode would be faster, but this pass is also the check that every photo decodes whole.
    photo = _decode(content, path)
    grey = np.asarray(photo.convert("L").resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    return Fingerprint(
        hashlib.sha256(content).hexdigest(), (grey[:, 1:] > grey[:, :-1]).ravel(), photo.width, photo.height
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PhotoError(f"{path} cannot be read: {error}. Restore it or remove its train.csv line.") from error


def _decode(content: bytes, path: Path) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels, at most {MAX_PIXELS:,} are decoded")
            photo = as_rgb(ImageOps.exif_transpose(image))
            photo.load()  # as long as its file is open
            return photo
    except UnidentifiedImageError as error:
        raise PhotoError(
            f"{path} is not a readable photo: no image format that is known here. Replace it or remove its train.csv line."
        ) from error
    except UNREADABLE as error:
        raise PhotoError(
            f"{path} is not a readable photo: {error}. Replace it or remove its train.csv line."
        ) from error


def as_rgb(image: Image.Image) -> Image.Image:
    """Any decoded image as 8-bit RGB, as serving reads it: transparency dropped, 16-bit greys by their upper byte.

    Raises:
        ValueError: its samples have 32 bits, which have no agreed white.
    """
    if image.mode.startswith("I;16"):  # Pillow would clip at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise ValueError("32 bits per sample; convert it to 8")
    elif image.mode in ("P", "PA") and "transparency" in image.info:
        image = image.convert("RGBA")
    return image if image.mode == "RGB" else image.convert("RGB")


class CachedPhotos(Dataset[tuple[torch.Tensor, int]]):
    """Photos decoded once, kept as uint8 and transformed at each access.

    Items are (transform(uint8 [3, H, W]), label). The copy in memory has its shorter side at `size` pixels, about
    `size * size * 4` bytes each for a 4:3 photo.
    """

    def __init__(self, photos: Sequence[Photo], size: int, transform: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._images = [_shrunk(open_photo(photo.path), size) for photo in progress(photos, "Decoding")]
        self._labels = [photo.label for photo in photos]
        self._transform = transform

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self._transform(self._images[index]), self._labels[index]


def _shrunk(image: Image.Image, size: int) -> torch.Tensor:
    scale = size / min(image.size)
    if scale < 1:
        image = image.resize(
            (round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC, reducing_gap=3.0
        )
    tensor: torch.Tensor = functional.pil_to_tensor(image)
    return tensor
