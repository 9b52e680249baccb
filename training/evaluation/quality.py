"""How good the photos themselves are, and how accuracy follows from it.

Sharpness is a relative of the variance of the Laplacian (Pech-Pacheco et al. 2000; compared by Pertuz et al. 2013): the
Laplacian's energy over the gradient's, at one size, which makes it free of contrast, exposure and resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.photos import UNREADABLE, Photo, as_rgb, progress
from training.errors import PhotoError
from training.evaluation.metrics import wilson
from training.evaluation.resampling import recall_macro

_JUDGED_SIDE = 192
_FLAT = 1.0  # gradient energy, grey levels squared, that rounding alone makes

ASPECTS = {
    "sharpness": ("Sharpness", ("blurriest third", "middle third", "sharpest third")),
    "brightness": ("Brightness, mean grey level of 0 to 255", ("darkest third", "middle third", "brightest third")),
    "shorter_side": ("Shorter side, pixels", ("smallest third", "middle third", "largest third")),
}
"""What is measured of a photo: its heading, and names of the thirds from low to high."""


@dataclass(frozen=True)
class Quality:
    """One photo: Laplacian over gradient energy (0 on a flat picture), mean grey level 0-255, shorter side in pixels."""

    sharpness: float
    brightness: float
    shorter_side: float


def measure(path: Path) -> Quality:
    """Measure one photo.

    Raises:
        PhotoError: the file is missing or unreadable.
    """
    try:
        with Image.open(path) as image:
            shorter = min(image.size)
            image.draft("L", (2 * _JUDGED_SIDE, 2 * _JUDGED_SIDE))  # a JPEG is decoded at a fraction of its size
            grey = as_rgb(image).convert("L")
    except UNREADABLE as error:
        raise PhotoError(f"{path} is not a readable photo: {error}. Replace it or remove it from the data.") from error
    scale = _JUDGED_SIDE / max(grey.size)
    size = max(3, round(grey.width * scale)), max(3, round(grey.height * scale))
    pixels = np.asarray(grey.resize(size, Image.Resampling.BILINEAR), np.float32)
    return Quality(_sharpness(pixels), float(pixels.mean()), float(shorter))


def _sharpness(grey: NDArray[np.float32]) -> float:
    right, down = np.diff(grey, axis=1), np.diff(grey, axis=0)
    laplacian = np.diff(right, axis=1)[1:-1] + np.diff(down, axis=0)[:, 1:-1]
    gradient_energy = float(np.square(right).mean() + np.square(down).mean())
    return float(laplacian.var()) / (gradient_energy + _FLAT)


def by_quality(
    photos: Sequence[Photo], predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: int
) -> dict[str, list[dict[str, Any]]]:
    """Accuracy and macro-recall by thirds of sharpness, brightness and size.

    Args:
        photos: N photos in the order of `predicted` and `labels`, int64 [N].
        classes: number of classes.

    Returns:
        Aspect → rows from low to high, JSON-ready. Photos that hardly differ give fewer than three rows.

    Raises:
        PhotoError: a photo is missing or unreadable.
    """
    measured = [measure(photo.path) for photo in progress(photos, "Measuring quality")]
    return {
        aspect: _thirds(np.array([getattr(each, aspect) for each in measured]), names, predicted, labels, classes)
        for aspect, (_, names) in ASPECTS.items()
    }


def _thirds(
    values: NDArray[np.float64],
    names: tuple[str, ...],
    predicted: NDArray[np.int64],
    labels: NDArray[np.int64],
    classes: int,
) -> list[dict[str, Any]]:
    place = np.digitize(values, np.quantile(values, [1 / 3, 2 / 3]), right=True)
    present = np.unique(place).tolist()
    groups = {1: ("all photos",), 2: ("lower values", "higher values"), 3: names}[len(present)]
    rows = []
    for index, group in zip(present, groups, strict=True):
        inside = place == index
        confusion = np.zeros((classes, classes), np.int64)
        np.add.at(confusion, (labels[inside], predicted[inside]), 1)
        rows.append(
            {
                "group": group,
                "from": float(values[inside].min()),
                "to": float(values[inside].max()),
                "photos": int(inside.sum()),
                "accuracy_micro": float((predicted[inside] == labels[inside]).mean()),
                "accuracy_micro_interval": wilson(int(confusion.trace()), int(inside.sum())),
                "recall_macro": float(recall_macro(confusion)),
            }
        )
    return rows
