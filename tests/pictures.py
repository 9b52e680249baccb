"""Image files for tests: generated ones, and real photos where the data folder is there."""

import functools
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DATA = Path(__file__).parents[2] / "shared" / "data"


def needs(folder: str) -> pytest.MarkDecorator:
    """Skip where real photos are missing, saying so."""
    return pytest.mark.skipif(not (DATA / folder).is_dir(), reason=f"real photos are not here: {folder}")


def textured(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture with detail at every scale, so that a shift by one pixel shows."""
    return _textured(width, height, seed).copy()


@functools.lru_cache(maxsize=8)
def _textured(width: int, height: int, seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.uint16)
    for side in (4, 16, 64, 256):
        coarse = Image.fromarray(rng.integers(0, 255, (side, side, 3), dtype=np.uint8))
        picture += np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
    return Image.fromarray((picture // 4).astype(np.uint8))


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The picture as an image file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
