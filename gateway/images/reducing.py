"""Smaller and plainer copies of a decoded image, made strip by strip so that they cost little memory beside it."""

import io
from typing import cast

import numpy as np
from PIL import Image

_STRIP_ROWS = 64
_GREY_MODES = ("1", "L", "LA", "I;16", "I;16L", "I;16B", "I;16N")
WIDE_MODES = ("I", "F")
"""32-bit samples, which have no agreed white: only the preview is made of them."""


def reduced(image: Image.Image, factor: int) -> Image.Image:
    """The image with both sides divided by `factor`, each pixel the mean of those it replaces.

    Returns:
        Mode L or RGB, transparency dropped as DALI drops it; the image itself where nothing is to be done.
    """
    mode = "L" if image.mode in (*_GREY_MODES, *WIDE_MODES) else "RGB"
    if factor == 1 and image.mode == mode:
        return image
    width, height = image.size
    small = Image.new(mode, (-(-width // factor), -(-height // factor)))
    white = cast("tuple[float, float]", image.getextrema())[1] if image.mode in WIDE_MODES else 0.0
    rows = _STRIP_ROWS // factor * factor
    for top in range(0, height, rows):
        strip = _plain(image.crop((0, top, width, min(top + rows, height))), mode, white)
        small.paste(strip.reduce(factor), (0, top // factor))
    return small


def grey(image: Image.Image, factor: int) -> Image.Image:
    """Grey levels of the image with both sides divided by `factor`, mode L."""
    small = reduced(image, factor)
    return small if small.mode == "L" else small.convert("L")


def as_jpeg(image: Image.Image) -> bytes:
    """A JPEG of an image of mode L or RGB, as good as one can ask for, without metadata."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, subsampling="4:4:4", exif=b"", icc_profile=b"", comment=b"")
    return buffer.getvalue()


def _plain(strip: Image.Image, mode: str, white: float) -> Image.Image:
    """The strip in mode L or RGB, eight bits a channel."""
    if strip.mode.startswith("I;16"):  # Pillow would clip at 255
        return Image.fromarray((np.asarray(strip) >> 8).astype(np.uint8))
    if strip.mode in WIDE_MODES:
        scale = 255 / white if white > 0 else 0
        return Image.fromarray((np.nan_to_num(np.asarray(strip, np.float32)) * scale).clip(0, 255).astype(np.uint8))
    return strip if strip.mode == mode else strip.convert(mode)
