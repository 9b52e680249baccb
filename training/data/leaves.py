"""Draws leaf-like pictures: a blade with veins on a blurred ground, under uneven light, with lesions of one form and colour."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Pixels = NDArray[np.float32]
Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "brown": (112, 58, 26),
    "yellow": (226, 208, 72),
    "black": (38, 32, 30),
    "rust": (204, 98, 26),
    "white": (228, 228, 218),
}
_GROUNDS: tuple[Colour, ...] = ((112, 90, 68), (84, 98, 58), (128, 124, 116), (70, 62, 54))
_OVERSAMPLING = 2


@dataclass(frozen=True)
class Lesions:
    """What is wrong with a leaf: the name of a form below and of a colour above."""

    form: str
    colour: str


class _Leaf:
    """One blade: where it lies, and masks drawn on it. Along it runs `t` from 0 (stalk) to 1, across it `s` from -1 to 1."""

    def __init__(self, random: np.random.Generator, width: int, height: int) -> None:
        self.random, self.size = random, (width, height)
        self._length = height * random.uniform(0.95, 1.25)
        self._breadth = self._length * random.uniform(0.2, 0.3)
        self._bend = random.uniform(-0.25, 0.25)
        self._power = random.uniform(0.75, 1.15)
        angle = random.uniform(0, 2 * math.pi)
        self._along = np.array([math.cos(angle), math.sin(angle)])
        self._across = np.array([-math.sin(angle), math.cos(angle)])
        self._centre = np.array([width, height]) * random.uniform(0.42, 0.58, 2)
        self.scale = self._length / 100

    def place(self, t: float, s: float) -> tuple[float, float]:
        """Pixel of a point of the blade."""
        half = self._breadth * math.sin(math.pi * min(max(t, 0.0), 1.0)) ** self._power
        sideways = s * half + self._bend * self._breadth * math.sin(math.pi * t)
        x, y = self._centre + self._along * (t - 0.5) * self._length + self._across * sideways
        return float(x), float(y)

    def blank(self) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        """An empty mask and what draws on it."""
        mask = Image.new("L", self.size)
        return mask, ImageDraw.Draw(mask)

    def outline(self, inside: float = 1.0) -> Image.Image:
        """Mask of the blade; `inside` below 1 leaves its margin out."""
        mask, draw = self.blank()
        steps = np.linspace(0.01, 0.99, 60)
        edge = [self.place(t, inside) for t in steps] + [self.place(t, -inside) for t in steps[::-1]]
        draw.polygon(edge, fill=255)
        return mask

    def veins(self) -> Image.Image:
        """Mask of the midrib and the side veins."""
        mask, draw = self.blank()
        draw.line([self.place(t, 0) for t in np.linspace(0, 1, 40)], fill=200, width=round(1.6 * self.scale))
        for t in np.linspace(0.1, 0.85, 9):
            for side in (-1, 1):
                line = [self.place(t + 0.14 * k, side * k) for k in np.linspace(0, 0.95, 8)]
                draw.line(line, fill=110, width=max(1, round(0.6 * self.scale)))
        return mask

    def blob(
        self, draw: ImageDraw.ImageDraw, t: float, s: float, radius: float, fill: int = 255, corners: int = 14
    ) -> None:
        """An uneven spot; radius in hundredths of the blade's length, few corners make it angular."""
        x, y = self.place(t, s)
        turns = np.sort(self.random.uniform(0, 2 * math.pi, corners))
        reach = radius * self.scale * self.random.uniform(0.75, 1.2, corners)
        draw.polygon([(x + r * math.cos(a), y + r * math.sin(a)) for a, r in zip(turns, reach, strict=True)], fill=fill)

    def anywhere(self) -> tuple[float, float]:
        """A random point of the blade, seldom at its ends."""
        return float(self.random.uniform(0.12, 0.88)), float(self.random.uniform(-0.85, 0.85))


def _spots(leaf: _Leaf) -> Image.Image:
    mask, draw = leaf.blank()
    for _ in range(leaf.random.integers(10, 26)):
        leaf.blob(draw, *leaf.anywhere(), leaf.random.uniform(2.2, 3.8))
    return mask


def _rings(leaf: _Leaf) -> Image.Image:
    mask, draw = leaf.blank()
    for _ in range(leaf.random.integers(5, 11)):
        x, y = leaf.place(*leaf.anywhere())
        for radius, fill in ((6.0, 230), (4.4, 0), (3.0, 255), (1.6, 0)):
            reach = radius * leaf.scale * leaf.random.uniform(0.92, 1.05)
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=fill)
    return mask


def _patches(leaf: _Leaf) -> Image.Image:
    mask, draw = leaf.blank()
    for _ in range(leaf.random.integers(5, 10)):
        leaf.blob(draw, *leaf.anywhere(), leaf.random.uniform(5.5, 9.0), corners=5)
    return mask


def _streaks(leaf: _Leaf) -> Image.Image:
    mask, draw = leaf.blank()
    for _ in range(leaf.random.integers(10, 18)):
        t, side = leaf.random.uniform(0.05, 0.75), leaf.random.choice((-1, 1))
        line = [leaf.place(t + 0.14 * k, side * k) for k in np.linspace(0.1, leaf.random.uniform(0.6, 0.95), 6)]
        draw.line(line, fill=255, width=round(leaf.random.uniform(1.4, 2.2) * leaf.scale))
    return mask


def _scorch(leaf: _Leaf) -> Image.Image:
    mask = leaf.outline()
    mask.paste(0, mask=leaf.outline(leaf.random.uniform(0.62, 0.76)))
    return mask


def _powder(leaf: _Leaf) -> Image.Image:
    mask, draw = leaf.blank()
    for _ in range(leaf.random.integers(4, 7)):
        t, s = leaf.anywhere()
        for _ in range(60):
            near, beside = leaf.random.normal(0, (0.06, 0.22))
            leaf.blob(draw, t + near, s + beside, leaf.random.uniform(0.35, 0.8), fill=210, corners=6)
    return mask


def _mosaic(leaf: _Leaf) -> Image.Image:
    cells = leaf.random.uniform(0, 1, (14, 18))
    pattern = Image.fromarray(np.where(cells > 0.5, 165, 0).astype(np.uint8))
    return pattern.resize(leaf.size, Image.Resampling.BICUBIC)


def _dieback(leaf: _Leaf) -> Image.Image:
    mask, draw = leaf.blank()
    start = leaf.random.uniform(0.5, 0.66)
    steps = np.linspace(start, 0.99, 24)
    edge = [leaf.place(t, 1.0) for t in steps] + [leaf.place(t, -1.0) for t in steps[::-1]]
    draw.polygon(edge, fill=235)
    for _ in range(14):
        leaf.blob(draw, start, float(leaf.random.uniform(-1, 1)), leaf.random.uniform(2, 5), fill=235)
    return mask


FORMS: dict[str, Callable[[_Leaf], Image.Image]] = {
    "spots": _spots,
    "mosaic": _mosaic,
    "streaks": _streaks,
    "scorched margin": _scorch,
    "rings": _rings,
    "powder": _powder,
    "angular patches": _patches,
    "dieback": _dieback,
}


def draw_leaf(random: np.random.Generator, lesions: Lesions | None, height: int) -> Image.Image:
    """One picture.

    Args:
        random: everything that differs from picture to picture is drawn from it.
        lesions: None for a healthy leaf.
        height: pixels; the width is 4/3 of it.

    Returns:
        RGB image.
    """
    width = height * 4 // 3
    leaf = _Leaf(random, width * _OVERSAMPLING, height * _OVERSAMPLING)
    picture = _ground(random, width, height)
    blade = _mix(_blade(random, width, height), (170, 196, 120), leaf.veins(), 0.55)
    if lesions is not None:
        mask = FORMS[lesions.form](leaf).filter(ImageFilter.GaussianBlur(0.35 * leaf.scale))
        colour = np.clip(np.array(COLOURS[lesions.colour]) + random.normal(0, 9, 3), 0, 255)
        blade = _mix(blade, tuple(colour), mask, 0.92)
    outline = _share(leaf.outline())
    picture = picture * (1 - outline) + blade * outline
    picture *= _smooth(random, width, height, (3, 4), 0.72, 1.18)
    noisy = picture + random.normal(0, random.uniform(1, 5), picture.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def _smooth(
    random: np.random.Generator, width: int, height: int, cells: tuple[int, int], low: float, high: float
) -> Pixels:
    coarse = Image.fromarray(random.uniform(low, high, cells).astype(np.float32))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32)[..., None]


def _ground(random: np.random.Generator, width: int, height: int) -> Pixels:
    colour = np.array(_GROUNDS[random.integers(len(_GROUNDS))], np.float32) + random.normal(0, 8, 3)
    ground = (
        colour
        * _smooth(random, width, height, (9, 12), 0.6, 1.35)
        * _smooth(random, width, height, (48, 64), 0.85, 1.15)
    )
    return ground.astype(np.float32)


def _blade(random: np.random.Generator, width: int, height: int) -> Pixels:
    colour = np.array((74, 128, 52), np.float32) + random.normal(0, (13, 14, 9))
    blade = (
        colour
        * _smooth(random, width, height, (5, 7), 0.86, 1.14)
        * _smooth(random, width, height, (60, 80), 0.93, 1.07)
    )
    return blade.astype(np.float32)


def _mix(picture: Pixels, colour: tuple[float, ...], mask: Image.Image, strength: float) -> Pixels:
    share = _share(mask) * strength
    mixed: Pixels = (picture * (1 - share) + np.array(colour, np.float32) * share).astype(np.float32)
    return mixed


def _share(mask: Image.Image) -> Pixels:
    """A mask at the picture's own size, 0-1, [H, W, 1]."""
    shares: Pixels = np.asarray(mask.reduce(_OVERSAMPLING), np.float32)[..., None] / np.float32(255)
    return shares
