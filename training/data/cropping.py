"""Random resized crops straight from the file, with no more of a JPEG decoded than the crop needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError

from training.data.photos import UNREADABLE, as_rgb
from training.errors import PhotoError

Box = tuple[int, int, int, int]
"""Left, top, width, height; pixels of the upright photo."""

_ORIENTATION = 0x0112
_TURNS = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_270,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_90,),
}


def draw_box(width: int, height: int, scale: tuple[float, float], ratio: tuple[float, float]) -> Box:
    """Draw the part of a photo to train on: "Inception-style" (Szegedy et al. 2015), as torchvision's RandomResizedCrop.

    Args:
        width: of the photo, pixels; likewise height.
        scale: least and largest area, share of the photo.
        ratio: least and largest width / height, drawn evenly in its logarithm.
    """
    area = width * height
    draws = torch.rand(10, 4).tolist()
    low, high = math.log(ratio[0]), math.log(ratio[1])
    for share, shape, across, down in draws:
        target = area * (scale[0] + share * (scale[1] - scale[0]))
        aspect = math.exp(low + shape * (high - low))
        wide, tall = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
        if 0 < wide <= width and 0 < tall <= height:
            return int(across * (width - wide + 1)), int(down * (height - tall + 1)), wide, tall
    wide, tall = width, height  # the whole photo, trimmed in the middle to the nearest ratio allowed
    if width / height < ratio[0]:
        tall = round(width / ratio[0])
    elif width / height > ratio[1]:
        wide = round(height * ratio[1])
    return (width - wide) // 2, (height - tall) // 2, wide, tall


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height in pixels of an image, decoded or not, once it is turned as its EXIF orientation says."""
    return (image.height, image.width) if _orientation(image) >= 5 else image.size


def decode_crop(path: Path, choose: Callable[[Image.Image], Box], side: int) -> Image.Image:
    """Cut a box out of a photo and scale it to a square, antialiased (bilinear).

    A JPEG's own DCT scaling (1/2, 1/4, 1/8) halves the decoded size as long as the box keeps at least `side` pixels
    each way. No part of a file can be skipped: its Huffman codes must be read in order.

    Args:
        path: the file.
        choose: from the opened, not yet decoded image to the box of its upright form.
        side: pixels of the square.

    Returns:
        RGB image, `side` x `side`, upright.

    Raises:
        PhotoError: the file cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            orientation = _orientation(image)
            width, height = image.size
            left, top, wide, tall = _stored(choose(image), width, height, orientation)
            factor = min(wide, tall) // side
            if factor > 1:
                image.draft(None, (width // factor, height // factor))
            x, y = image.width / width, image.height / height
            box = (left * x, top * y, min((left + wide) * x, image.width), min((top + tall) * y, image.height))
            crop = as_rgb(image).resize((side, side), Image.Resampling.BILINEAR, box)
    except UnidentifiedImageError as error:
        raise PhotoError(f"{path} is no longer a readable photo: no known image format. Restore it.") from error
    except UNREADABLE as error:
        raise PhotoError(f"{path} is no longer a readable photo: {error}. Restore it.") from error
    for turn in _TURNS.get(orientation, ()):
        crop = crop.transpose(turn)
    return crop


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":  # Pillow turns it while it decodes, and has stated its upright size before
        return 1
    return int(image.getexif().get(_ORIENTATION, 1))


def _stored(box: Box, width: int, height: int, orientation: int) -> Box:
    """The box in the pixels as they lie in the file, `width` x `height`."""
    left, top, wide, tall = box
    upright_width, upright_height = (height, width) if orientation >= 5 else (width, height)
    right, bottom = upright_width - left - wide, upright_height - top - tall
    across, down = {
        2: (right, top),
        3: (right, bottom),
        4: (left, bottom),
        5: (top, left),
        6: (top, right),
        7: (bottom, right),
        8: (bottom, left),
    }.get(orientation, (left, top))
    return (across, down, tall, wide) if orientation >= 5 else (across, down, wide, tall)
