"""Whether the overlay shows the right place of the photo, in colours that can be seen on a leaf."""

import io
import json
import time

import numpy as np
import pytest
from null_repository import EXPLAINED, MEMBERS, release_parameters
from numpy.typing import NDArray
from photos import encode
from PIL import Image, ImageDraw, ImageOps

from gateway.images.decoding import check_pixels
from gateway.images.headers import read_header
from gateway.images.overlay import overlay_png, view_in_photo
from gateway.triton.release import Answer, Release, View, read_release

CLASSES = 5
CELLS = 12
LEAVES = ((70, 120, 40), (120, 160, 60), (40, 80, 30), (150, 170, 110))
# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision deficiency", 2009;
# full severity, for linear light.
COLOUR_VISION = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def release_with(view: dict[str, object], **changes: object) -> Release:
    """A release whose members all have this view."""
    members = [member | {"view": view} for member in EXPLAINED["members"]]  # type: ignore[attr-defined]
    parameters = release_parameters(1, members=members, **changes)
    return read_release("leaf_ensemble_1", {key: json.dumps(value) for key, value in parameters.items()})


def answer_with(*maps: NDArray[np.float32]) -> Answer:
    """An answer whose members have these maps of class 1, and nothing of the others."""
    rows = np.full(CLASSES, 0.2, np.float32)
    layers = [np.stack([one if class_id == 1 else np.zeros_like(one) for class_id in range(CLASSES)]) for one in maps]
    return Answer(rows, (rows, rows), activation_maps=dict(zip(MEMBERS, layers, strict=False)))


def hot_cell(row: int, column: int, value: float = 1.0) -> NDArray[np.float32]:
    """A map of one cell."""
    cells = np.zeros((CELLS, CELLS), np.float32)
    cells[row, column] = value
    return cells


def pixels(png: bytes | None) -> NDArray[np.uint8]:
    """RGBA `[h, w, 4]`."""
    assert png is not None
    with Image.open(io.BytesIO(png)) as image:
        assert (image.format, image.mode) == ("PNG", "RGBA")
        return np.asarray(image)


def peak(overlay: NDArray[np.uint8]) -> tuple[float, float]:
    """Centre of the evidence as (down, across), shares of the sides."""
    alpha = overlay[..., 3].astype(float)
    down, across = np.mgrid[: alpha.shape[0], : alpha.shape[1]] + 0.5
    return (alpha * down).sum() / alpha.sum() / alpha.shape[0], (alpha * across).sum() / alpha.sum() / alpha.shape[1]


def spotted(width: int, height: int, down: float, across: float) -> Image.Image:
    """A dark photo with one bright spot."""
    photo = Image.new("L", (width, height), 20)
    x, y, radius = across * width, down * height, min(width, height) / 15
    ImageDraw.Draw(photo).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return photo


def as_member_sees(photo: Image.Image, view: dict[str, object]) -> Image.Image:
    """The view by Pillow alone, as timm evaluates: resize, then cut the middle out."""
    side = int(view["height"] / view["crop_pct"])  # type: ignore[operator]
    if view["crop_mode"] == "squash":
        scaled = photo.resize((side, side))
    else:
        shorter = min(photo.size)
        scaled = photo.resize((photo.width * side // shorter, photo.height * side // shorter))
    margins = [(length - int(view["height"])) / 2 for length in scaled.size]  # type: ignore[call-overload]
    left, top = map(round, margins)
    return scaled.crop((left, top, left + int(view["width"]), top + int(view["height"])))  # type: ignore[call-overload]


def view(crop_mode: str, crop_pct: float = 1.0, side: int = 384) -> dict[str, object]:
    """A square view."""
    return {"height": side, "width": side, "crop_pct": crop_pct, "crop_mode": crop_mode}


@pytest.mark.parametrize(
    ("crop_mode", "crop_pct"), [("center", 1.0), ("center", 0.875), ("squash", 1.0), ("squash", 0.8)]
)
@pytest.mark.parametrize("size", [(800, 600), (600, 800), (500, 500), (1203, 401)])
@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_hot_cell_lands_on_what_the_member_saw_there(
    crop_mode: str, crop_pct: float, size: tuple[int, int], orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = spotted(*size, 0.42, 0.55)
    data = encode(stored.convert("RGB"), exif=exif)
    release = release_with(view(crop_mode, crop_pct))
    checked = check_pixels(data, read_header(data, release.limits, 2**24))
    with Image.open(io.BytesIO(data)) as opened:
        shown = ImageOps.exif_transpose(opened).convert("L")
    assert shown.size == (checked.width, checked.height)

    seen = np.asarray(
        as_member_sees(shown, view(crop_mode, crop_pct)).resize((CELLS, CELLS), Image.Resampling.BOX), float
    )
    answer = answer_with(np.maximum(seen - 24, 0).astype(np.float32))
    expected = np.argwhere(np.asarray(shown) > 128).mean(axis=0) / shown.size[::-1]
    assert peak(pixels(overlay_png(checked.width, checked.height, answer, release, 1))) == pytest.approx(
        expected, abs=0.03
    )


@pytest.mark.parametrize(
    ("size", "crop_mode", "crop_pct", "corners"),
    [
        ((800, 600), "squash", 1.0, ((0, 0), (1, 1))),
        ((800, 600), "center", 1.0, ((0, 0.125), (1, 0.875))),  # the middle 600 of 800
        ((600, 800), "center", 1.0, ((0.125, 0), (0.875, 1))),
        ((500, 500), "center", 0.8, ((0.1, 0.1), (0.9, 0.9))),
        ((500, 900), "squash", 0.8, ((0.1, 0.1), (0.9, 0.9))),
    ],
)
def test_place_of_the_view(
    size: tuple[int, int], crop_mode: str, crop_pct: float, corners: tuple[tuple[float, float], tuple[float, float]]
) -> None:
    found = view_in_photo(View.model_validate(view(crop_mode, crop_pct)), *size)
    assert np.array(found) == pytest.approx(np.array(corners), abs=0.002)


def test_nothing_is_shown_where_no_member_looked() -> None:
    everywhere = answer_with(np.ones((CELLS, CELLS), np.float32))
    alpha = pixels(overlay_png(800, 400, everywhere, release_with(view("center")), 1))[..., 3]
    assert alpha.shape == (192, 384)
    assert (alpha[16:176, 113:271] == alpha.max()).all()
    assert (np.diff(alpha[96, 96:113].astype(int)) >= 0).all()  # fades in at the view's edge
    assert (alpha[:, :95] == 0).all()
    assert (alpha[:, 289:] == 0).all()


def test_members_count_by_their_weights_however_large_their_logits() -> None:
    answer = answer_with(hot_cell(3, 3, 0.01), hot_cell(8, 8, 50.0))
    weighted = pixels(overlay_png(600, 600, answer, release_with(view("center"), weights=[1, 3]), 1))[..., 3]
    first, second = weighted[112, 112], weighted[272, 272]
    assert 0 < first < second
    equal = pixels(overlay_png(600, 600, answer, release_with(view("center"), weights=[1, 1]), 1))[..., 3]
    assert first < equal[112, 112] == equal[272, 272] == second


def test_only_evidence_for_the_class_is_shown() -> None:
    release = release_with(view("center"))
    assert not pixels(overlay_png(600, 600, answer_with(-hot_cell(3, 3)), release, 1))[..., 3].any()
    assert not pixels(overlay_png(600, 600, answer_with(hot_cell(3, 3)), release, 0))[..., 3].any()


def test_without_a_map_or_its_place_there_is_no_overlay() -> None:
    assert overlay_png(600, 600, answer_with(), release_with(view("center")), 1) is None
    parameters = {key: json.dumps(value) for key, value in release_parameters(1).items()}
    assert overlay_png(600, 600, answer_with(hot_cell(1, 1)), read_release("leaf_ensemble_1", parameters), 1) is None


@pytest.mark.parametrize("size", [(4032, 3024), (384, 384), (256, 32), (32, 256)])
def test_overlay_has_the_photos_aspect_and_is_small(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).normal(0, 1, (2, 24, 24)).astype(np.float32)
    png = overlay_png(*size, answer_with(*noise), release_with(view("squash")), 1)
    height, width, _ = pixels(png).shape
    assert max(width, height) == 384
    assert width / height == pytest.approx(size[0] / size[1], rel=0.02)
    assert png is not None
    assert len(png) < 60_000


def test_overlay_is_made_at_once() -> None:
    noise = np.random.default_rng(0).normal(0, 1, (2, 24, 24)).astype(np.float32)
    release, answer = release_with(view("squash")), answer_with(*noise)
    spent = []
    for _ in range(8):
        started = time.thread_time()
        overlay_png(800, 600, answer, release, 1)
        spent.append(time.thread_time() - started)
    assert min(spent) < 0.03


def shades() -> NDArray[np.float64]:
    """RGBA by growing evidence, `[levels, 4]`, as an overlay shows it."""
    ramp = np.tile(np.linspace(0, 1, 48, dtype=np.float32), (48, 1))
    row = pixels(overlay_png(384, 384, answer_with(ramp), release_with(view("squash")), 1))[192]
    row = row[: row[:, 3].argmax() + 1]  # beyond, it fades out at the view's edge
    return row[np.r_[True, np.diff(row[:, 3].astype(int)) != 0]].astype(float)


def lab(colours: NDArray[np.float64], vision: object = COLOUR_VISION["full"]) -> NDArray[np.float64]:
    """CIE L*a*b* (D65) of sRGB colours `[..., 3]`, as somebody with this colour vision sees them."""
    encoded = colours / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    seen = (linear @ np.array(vision).T).clip(0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    white = to_xyz.sum(axis=1)
    ratio = seen @ to_xyz.T / white
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def test_more_evidence_is_more_opaque_and_lighter() -> None:
    seen = shades()
    assert seen[0, 3] == 0
    assert len(seen) >= 40
    assert (np.diff(seen[:, 3]) > 0).all()
    assert (np.diff(lab(seen[1:, :3])[:, 0]) > 0).all()


@pytest.mark.parametrize("vision", COLOUR_VISION)
@pytest.mark.parametrize("leaf", LEAVES)
def test_evidence_is_seen_on_leaves_with_any_colour_vision(leaf: tuple[int, int, int], vision: str) -> None:
    seen = shades()
    alpha = seen[:, 3:] / 255
    over_leaf = alpha * seen[:, :3] + (1 - alpha) * np.array(leaf)
    matrix = COLOUR_VISION[vision]
    difference = np.linalg.norm(lab(over_leaf, matrix) - lab(np.array(leaf, float), matrix), axis=-1)
    assert (difference[len(seen) // 4 :] > 10).all()  # 2.3 is just noticeable
    assert difference[-1] > 25
