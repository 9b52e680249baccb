"""Opens one photo and says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from PIL import UnidentifiedImageError

from training.data.photos import Fingerprint, Photo, fingerprint
from training.data.problems import Problem
from training.errors import PhotoError

MIN_SIDE = 32
"""Pixels; what is smaller is refused when it is served, too."""


def inspect(photo: Photo, where: str) -> Fingerprint | Problem:
    """Decode the whole photo.

    Args:
        photo: the file to open.
        where: its path as the report shall name it.

    Returns:
        Its fingerprint, or the problem that keeps it from use.
    """
    try:
        if photo.path.stat().st_size == 0:
            return Problem("empty", where, "the file has no bytes", "Fetch it again or remove it")
        if lacks_bytes(photo.path):
            return Problem("truncated", where, "its end is missing", "Fetch it again or remove it")
        found = fingerprint(photo.path)
    except OSError as error:
        return Problem("unreadable", where, str(error.strerror or error), "Make it readable or remove it")
    except PhotoError as error:
        unknown = isinstance(error.__cause__, UnidentifiedImageError)
        reason = "no image format that is known here" if unknown else str(error.__cause__ or error).rstrip(". ")
        if _cut_short(reason):
            return Problem("truncated", where, f"its end is missing: {reason}", "Fetch it again or remove it")
        return Problem("unreadable", where, f"not a readable photo: {reason}", _advice(reason))
    if min(found.width, found.height) < MIN_SIDE:
        detail = f"{found.width}x{found.height} pixels; the shorter side must have {MIN_SIDE}"
        return Problem("too small", where, detail, "Fetch the original or remove it")
    return found


def lacks_bytes(path: Path) -> bool:
    """Whether a HEIC or AVIF file ends before its last box does (ISO/IEC 14496-12): decoders fill the rest with grey.

    Raises:
        OSError: it cannot be read.
    """
    length = path.stat().st_size
    place = 0
    with path.open("rb") as file:
        while place + 8 <= length:
            file.seek(place)
            head = file.read(16)
            if place == 0 and head[4:8] != b"ftyp":
                return False
            size = int.from_bytes(head[:4], "big")
            if size == 1:  # the size follows in eight bytes
                size = int.from_bytes(head[8:16], "big")
            if size < 8:  # 0: up to the end of the file
                return False
            place += size
    return place > length


def _cut_short(reason: str) -> bool:
    return any(word in reason.lower() for word in ("truncated", "unexpected end", "not enough data", "incomplete"))


def _advice(reason: str) -> str:
    if "pixels" in reason:
        return "Reduce it or remove it"
    return "Fetch it again or remove it"
