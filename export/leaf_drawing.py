"""Draws leaf-like pictures, so that warm-up, calibration and a first request need no photo of anybody's."""

import math
import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter


def draw_leaf(seed: int, width: int = 800, height: int = 600) -> Image.Image:
    """A lobed leaf with veins and spots on soil; the same seed gives the same picture."""
    rng = random.Random(seed)
    soil = (rng.randint(90, 150), rng.randint(70, 110), rng.randint(50, 80))
    grain = np.random.default_rng(seed).normal(0, rng.uniform(6, 18), (height, width, 1))
    picture = Image.fromarray((grain + soil).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    centre = (width * rng.uniform(0.4, 0.6), height * rng.uniform(0.4, 0.6))
    size = min(width, height) * rng.uniform(0.35, 0.48)
    tilt = rng.uniform(0, 2 * math.pi)
    green = (rng.randint(40, 110), rng.randint(110, 170), rng.randint(30, 80))
    lobes = rng.choice((5, 7))
    outline = [_polar(centre, size * (0.55 + 0.45 * abs(math.cos(lobes * a / 2))), a + tilt) for a in _turn(180)]
    draw.polygon(outline, fill=green)
    vein = tuple(min(255, c + 60) for c in green)
    for lobe in range(lobes):
        draw.line([centre, _polar(centre, size * 0.95, 2 * math.pi * lobe / lobes + tilt)], fill=vein, width=4)
    for _ in range(rng.randint(0, 60)):
        x, y = _polar(centre, size * rng.uniform(0, 0.8), rng.uniform(0, 2 * math.pi))
        r = rng.uniform(3, 16)
        spot = (rng.randint(120, 230), rng.randint(110, 200), rng.randint(20, 90))
        draw.ellipse([x - r, y - r, x + r, y + r], fill=spot)
    blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.5))), float)
    lit = blurred * _texture(seed, width, height) * rng.uniform(0.7, 1.2)
    return Image.fromarray(lit.clip(0, 255).astype(np.uint8))


def _texture(seed: int, width: int, height: int) -> NDArray[np.float64]:
    """Light and dark at every scale, as in any photo: [height, width, 1], mean 1."""
    rng = np.random.default_rng(seed)
    texture = np.zeros((height, width))
    for side in (2, 4, 8, 16, 32, 64, 128, 256):
        coarse = Image.fromarray(rng.normal(size=(side, side)).astype(np.float32))
        texture += np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)) * rng.uniform(0.02, 0.12)
    return np.asarray(np.exp(texture - texture.mean())[..., None])


def _turn(steps: int) -> list[float]:
    return [2 * math.pi * i / steps for i in range(steps)]


def _polar(centre: tuple[float, float], radius: float, angle: float) -> tuple[float, float]:
    return centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)
