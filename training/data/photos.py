"""One labelled photo: opened as serving opens it, and fingerprinted."""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pi_heif
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm  # type: ignore[import-untyped]

from training.errors import PhotoError

T = TypeVar("T")

pi_heif.register_heif_opener(
    thumbnails=False, depth_images=False, aux_images=False
)  # phones write HEIC, and serving takes it

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
    RuntimeError,
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
        raise PhotoError(f"{path} cannot be read: {error}. Restore or remove it.") from error


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
            f"{path} is not a readable photo: no image format that is known here. Replace or remove it."
        ) from error
    except UNREADABLE as error:
        raise PhotoError(f"{path} is not a readable photo: {error}. Replace or remove it.") from error


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
