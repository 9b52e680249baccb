"""The pictures of the conversations: the demo's leaf, seen in several ways, and what is no leaf."""

import io

from pictures import encoded, textured
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from processes import ROOT

LEAF = (ROOT / "demo" / "leaf.jpg").read_bytes()


def _leaf() -> Image.Image:
    return Image.open(io.BytesIO(LEAF)).convert("RGB")


def mirrored() -> bytes:
    """The same leaf from its other side."""
    return encoded(ImageOps.mirror(_leaf()), "JPEG", quality=92)


def _part(left: float, top: float) -> bytes:
    """Two fifths of the picture a side, from there in shares of its sides."""
    picture = _leaf()
    width, height = picture.size
    corners = (width * left, height * top, width * (left + 0.4), height * (top + 0.4))
    left_px, top_px, right_px, bottom_px = map(round, corners)
    return encoded(picture.crop((left_px, top_px, right_px, bottom_px)), "JPEG", quality=92)


def close() -> bytes:
    """A part of the leaf, seen from near: the release is surest of this one."""
    return _part(0.2, 0.3)


def below() -> bytes:
    """A lower part of it."""
    return _part(0.2, 0.4)


def dark() -> bytes:
    """The leaf at dusk, and not held still."""
    blurred = _leaf().filter(ImageFilter.GaussianBlur(6))
    return encoded(ImageEnhance.Brightness(blurred).enhance(0.18), "JPEG", quality=92)


def no_leaf() -> bytes:
    """Coloured noise."""
    return encoded(textured(640, 480, seed=7), "JPEG", quality=92)
