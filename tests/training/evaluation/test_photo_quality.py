"""Sharpness, brightness and size of photos, and figures by their thirds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pictures import textured
from PIL import Image, ImageEnhance, ImageFilter

from training.data.photos import Photo
from training.errors import PhotoError
from training.evaluation.quality import by_quality, measure


def save(picture: Image.Image, path: Path) -> Path:
    picture.save(path)
    return path


def test_blur_darkness_and_size_are_told_apart(tmp_path: Path) -> None:
    plain = textured(400, 300)
    sharp = measure(save(plain, tmp_path / "plain.jpg"))
    blurred = measure(save(plain.filter(ImageFilter.GaussianBlur(6)), tmp_path / "blurred.jpg"))
    dark = measure(save(ImageEnhance.Brightness(plain).enhance(0.3), tmp_path / "dark.png"))
    assert blurred.sharpness < 0.5 * sharp.sharpness
    assert dark.sharpness == pytest.approx(sharp.sharpness, rel=0.15)  # free of exposure
    assert dark.brightness < 0.4 * sharp.brightness
    assert sharp.shorter_side == 300


def test_unreadable_photo_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(PhotoError, match=r"text\.jpg"):
        measure(tmp_path / "text.jpg")


def test_thirds_go_from_dark_to_bright_and_count_every_photo(tmp_path: Path) -> None:
    photos = [
        Photo(f"{level}", save(Image.new("RGB", (40, 40 + level // 9), (level,) * 3), tmp_path / f"{level}.png"), 0)
        for level in range(10, 190, 20)
    ]
    labels = np.zeros(9, np.int64)
    predicted = np.array([1, 1, 1, 0, 0, 1, 0, 0, 0])  # the darker, the worse
    rows = by_quality(photos, predicted, labels, 2)["brightness"]
    assert [row["group"] for row in rows] == ["darkest third", "middle third", "brightest third"]
    assert [row["accuracy_micro"] for row in rows] == [0, pytest.approx(2 / 3), 1]
    assert sum(row["photos"] for row in rows) == 9
    assert rows[0]["to"] < rows[1]["from"]


def test_photos_of_one_size_are_one_group(tmp_path: Path) -> None:
    photos = [Photo(f"{n}", save(Image.new("RGB", (50, 40)), tmp_path / f"{n}.png"), 0) for n in range(3)]
    (row,) = by_quality(photos, np.zeros(3, np.int64), np.zeros(3, np.int64), 2)["shorter_side"]
    assert (row["group"], row["photos"], row["from"], row["to"]) == ("all photos", 3, 40, 40)
