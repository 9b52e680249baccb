"""Opens one photo and says what is wrong with it."""

from __future__ import annotations

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
        found = fingerprint(photo.path)
    except OSError as error:
        return Problem("unreadable", where, str(error.strerror or error), "Make it readable or remove it")
    except PhotoError as error:
        unknown = isinstance(error.__cause__, UnidentifiedImageError)
        reason = "no image format that is known here" if unknown else str(error.__cause__ or error).rstrip(". ")
        if _cut_short(reason):
            return Problem("truncated", where, f"its end is missing: {reason}", "Fetch it again or remove it")
        return Problem("unreadable", where, f"not a readable photo: {reason}", _advice(photo, reason))
    if min(found.width, found.height) < MIN_SIDE:
        detail = f"{found.width}x{found.height} pixels; the shorter side must have {MIN_SIDE}"
        return Problem("too small", where, detail, "Fetch the original or remove it")
    return found


def _cut_short(reason: str) -> bool:
    return any(word in reason.lower() for word in ("truncated", "unexpected end", "not enough data", "incomplete"))


def _advice(photo: Photo, reason: str) -> str:
    if photo.path.suffix.lower() in {".heic", ".heif"}:
        return "Convert it to JPEG"
    if "pixels" in reason:
        return "Reduce it or remove it"
    return "Fetch it again or remove it"
