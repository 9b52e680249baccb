"""Photos that may be kept: upright JPEG files by prediction id, free of whatever else the upload carried."""

import io
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pi_heif
from PIL import Image, ImageCms

from gateway.images.formats import sniff
from gateway.images.headers import BYTES_PER_PIXEL, CANVAS_BYTES, measure
from gateway.images.turning import orientation_of, upright

pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)

LONGER_SIDE = 2048
_QUALITY = 92
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "HEIF", "AVIF")
_STRIP_ROWS = 64
_SMALL_BYTES = 48_000_000
"""Of the smaller copies that are made of a decoded photo, at most; of a small photo as much as the photo."""
# A JPEG is decoded at a reduced scale; of the others a decode would hold more than 200 MB above this.
_MOST_PIXELS = {"WEBP": 10_000_000, "AVIF": 20_000_000, "HEIF": 25_000_000}
_MOST_PIXELS_ELSE = 48_000_000
_WELL_FORMED = re.compile(r"[0-9a-f]{32}")


class PhotoTooLargeError(ValueError):
    """Decoding it would take more memory than keeping a photo is worth."""


def is_keepable(data: bytes, width: int, height: int) -> bool:
    """Whether `without_metadata` takes an accepted photo of so many pixels, without opening it."""
    name = sniff(data)
    return name == "JPEG" or width * height <= _MOST_PIXELS.get(name, _MOST_PIXELS_ELSE)


def without_metadata(data: bytes) -> bytes:
    """The picture alone: upright, in sRGB, its longer side at most 2048 pixels, as a JPEG without EXIF or profile.

    Args:
        data: an image file in a format that the gateway accepts.

    Raises:
        PhotoTooLargeError, and whatever Pillow raises where the file is broken.
    """
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        most = _MOST_PIXELS.get(str(image.format), _MOST_PIXELS_ELSE)
        if image.format != "JPEG" and image.width * image.height > most:
            raise PhotoTooLargeError(f"{image.format} of {image.width}x{image.height} pixels")
        scale = _whole_divisor(*image.size)
        image.draft(None, (image.width // scale, image.height // scale))  # JPEG only
        image.load()
        profile, orientation = image.info.get("icc_profile"), orientation_of(image)
        small = _reduced(image)
        small.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
        plain = _in_srgb(upright(small, orientation), profile)
    plain.info = {}  # Pillow would carry a comment over
    buffer = io.BytesIO()
    plain.save(buffer, "JPEG", quality=_QUALITY, exif=b"", icc_profile=None)
    return buffer.getvalue()


def memory_needed(data: bytes) -> int:
    """Peak bytes of `without_metadata`, about.

    Raises:
        Problem: the header is broken.
    """
    name, width, height, coded_bytes = measure(data)
    canvas = width * height * BYTES_PER_PIXEL.get(name, CANVAS_BYTES)
    if name == "JPEG":
        canvas /= _whole_divisor(width, height) ** 2
    return round(coded_bytes + canvas + min(canvas, _SMALL_BYTES))


def _whole_divisor(width: int, height: int) -> int:
    """By what both sides can be divided before the longer one is less than what is kept."""
    return max(1, max(width, height) // LONGER_SIDE)


def _reduced(image: Image.Image) -> Image.Image:
    """Without transparency and not much larger than what is kept, strip by strip: a whole copy could take 200 MB."""
    factor = _whole_divisor(*image.size)
    if factor == 1:
        return _opaque(image)
    rows = _STRIP_ROWS // factor * factor
    small: Image.Image | None = None
    for top in range(0, image.height, rows):
        strip = _opaque(image.crop((0, top, image.width, min(top + rows, image.height)))).reduce(factor)
        if small is None:
            small = Image.new(strip.mode, (strip.width, -(-image.height // factor)))
        small.paste(strip, (0, top // factor))
    assert small is not None
    return small


def _opaque(image: Image.Image) -> Image.Image:
    """In a mode that can be scaled; what is transparent becomes white."""
    if image.mode in ("RGBA", "LA", "PA", "P"):
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 256).convert("L")
    return image if image.mode in ("RGB", "L", "CMYK", "I", "F") else image.convert("L" if image.mode == "1" else "RGB")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile and image.mode in ("RGB", "L", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None  # a broken profile, or one for other channels
        if converted is not None:
            return converted
    return image.convert("RGB")


class PhotoStore:
    """The folder of kept photos; a file is whole or absent."""

    def __init__(self, folder: Path, min_free_bytes: int = 0) -> None:
        """Nothing is read or made yet; `min_free_bytes` stay free on its disk."""
        self.folder = folder
        self._min_free_bytes = min_free_bytes
        self.mark_path = folder / ".database"

    def path(self, prediction_id: str) -> Path:
        """Where the photo of a prediction lies, kept or not.

        Raises:
            ValueError: not an id, so that no request can name another file.
        """
        if not _WELL_FORMED.fullmatch(prediction_id):
            raise ValueError("not a prediction id")
        return self.folder / prediction_id[:2] / f"{prediction_id}.jpg"

    def has_room(self) -> bool:
        """Whether the disk has room for one more; blocks, and makes the folder.

        Raises:
            OSError: the folder cannot be made or asked.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return shutil.disk_usage(self.folder).free >= self._min_free_bytes

    def keep(self, prediction_id: str, data: bytes) -> None:
        """Write a photo without its metadata; blocks.

        Raises:
            OSError: the folder cannot be written, or its disk is nearly full; others as `without_metadata`.
        """
        if not self.has_room():
            raise OSError("the disk has less free than GATEWAY_PHOTOS_MIN_FREE_BYTES")
        jpeg = without_metadata(data)
        path = self.path(prediction_id)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        aside = path.with_suffix(".part")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(jpeg)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)

    def read(self, prediction_id: str) -> bytes | None:
        """The JPEG, or None where none is kept."""
        try:
            return self.path(prediction_id).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, prediction_id: str) -> bool:
        """Delete the photo; whether there was one."""
        try:
            self.path(prediction_id).unlink()
        except FileNotFoundError:
            return False
        return True

    def read_mark(self) -> str | None:
        """Id of the database that the folder belongs to; None where it has not been marked."""
        try:
            return self.mark_path.read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError:
            return None

    def mark(self, database_id: str) -> None:
        """Note the database that the folder belongs to; makes the folder where it is missing."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = self.mark_path.with_name(f".database-{os.getpid()}")
        aside.write_text(f"{database_id}\n", encoding="utf-8")
        aside.replace(self.mark_path)

    def settled(self, older_than_s: float) -> Iterator[tuple[Path, str | None]]:
        """Files untouched for so long, each with its prediction id; None for a file that was never finished."""
        latest = time.time() - older_than_s
        for path in self.folder.glob("??/*"):
            try:
                untouched = path.stat().st_mtime < latest
            except FileNotFoundError:  # another worker deletes too
                continue
            if untouched:
                yield path, path.stem if path.suffix == ".jpg" and _WELL_FORMED.fullmatch(path.stem) else None
