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


def close() -> bytes:
    """A part of the leaf, seen from near."""
    picture = _leaf()
    width, height = picture.size
    return encoded(
        picture.crop((width * 3 // 10, height * 3 // 10, width * 7 // 10, height * 7 // 10)), "JPEG", quality=92
    )


def shade() -> bytes:
    """The leaf under a cloud: darker, its colours stronger."""
    darker = ImageEnhance.Brightness(_leaf()).enhance(0.85)
    return encoded(ImageEnhance.Color(darker).enhance(1.5), "JPEG", quality=92)


def dark() -> bytes:
    """The leaf at dusk, and not held still."""
    blurred = _leaf().filter(ImageFilter.GaussianBlur(6))
    return encoded(ImageEnhance.Brightness(blurred).enhance(0.18), "JPEG", quality=92)


def no_leaf() -> bytes:
    """Coloured noise."""
    return encoded(textured(640, 480, seed=7), "JPEG", quality=92)
