"""Whether quality hints fall on bad photos and spare good ones: generated pictures, and real photos where they are."""

import functools
import io
import random
from pathlib import Path

import numpy as np
import pytest
from null_repository import LIMITS
from photos import encode
from pictures import DATA, needs, textured
from PIL import Image, ImageFilter, ImageOps

from gateway.images.decoding import check_pixels
from gateway.images.headers import read_header
from gateway.images.quality import quality_hints, sharpness
from gateway.triton.release import Limits

LIMITS_OF_TESTS = Limits.model_validate(LIMITS)
SEED = 20
FEW, MORE = 30, 120


def hints(data: bytes) -> list[str]:
    """What the gateway says of an upload."""
    pixels = check_pixels(data, read_header(data, LIMITS_OF_TESTS, 2**23))
    return quality_hints(pixels.preview, pixels.width, pixels.height)


def exposed(photo: Image.Image, stops: float) -> Image.Image:
    """The photo with `2**stops` times the light: clipped in linear light, encoded as sRGB again."""
    level = np.arange(256) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4) * 2**stops
    clipped = linear.clip(0, 1)
    encoded = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return photo.point(np.rint(255 * encoded).astype(int).tolist() * 3)


def blurred(photo: Image.Image, share: float = 0.01) -> Image.Image:
    """The photo out of focus by a share of its longer side."""
    return photo.filter(ImageFilter.GaussianBlur(share * max(photo.size)))


def noisy(photo: Image.Image, deviation: float) -> Image.Image:
    """The photo with a sensor's noise, in grey levels."""
    noise = np.random.default_rng(SEED).normal(0, deviation, (*photo.size[::-1], 3))
    return Image.fromarray((np.asarray(photo, float) + noise).clip(0, 255).astype(np.uint8))


SPOILED = {
    "a tenth of each level": ("too_dark", lambda photo: photo.point([level // 10 for level in range(256)] * 3)),
    "a tenth of the light": ("too_dark", lambda photo: exposed(photo, np.log2(0.1))),
    "eight times the light": ("too_bright", lambda photo: exposed(photo, 3)),
    "out of focus": ("blurred", blurred),
}
NOISY = {"out of focus, with noise": ("blurred", lambda photo: noisy(blurred(photo), 5))}


@pytest.mark.parametrize("size", [(800, 600), (600, 800), (320, 240), (4000, 3000)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_good_picture_gets_no_hint(size: tuple[int, int], kind: str) -> None:
    options = {"compress_level": 1} if kind == "PNG" else {}
    assert hints(encode(textured(*size), kind, **options)) == []


@pytest.mark.parametrize("size", [(800, 600), (600, 800), (320, 240), (4000, 3000)])
@pytest.mark.parametrize("name", SPOILED)
def test_spoiled_picture_gets_its_hint(size: tuple[int, int], name: str) -> None:
    hint, spoil = SPOILED[name]
    assert hints(encode(spoil(textured(*size)), quality=90)) == [hint]


@pytest.mark.parametrize(("size", "small"), [((223, 400), True), ((400, 223), True), ((224, 224), False)])
def test_small_is_the_shorter_side(size: tuple[int, int], small: bool) -> None:
    assert ("small" in hints(encode(textured(*size)))) == small


def test_tiny_picture_is_not_judged_for_sharpness() -> None:
    assert hints(encode(blurred(textured(100, 100), 0.05))) == ["small"]


def test_sharpness_depends_on_neither_resolution_nor_exposure() -> None:
    grey = textured(1600, 1200).convert("L")
    whole = sharpness(np.asarray(grey))
    for other in (
        grey.reduce(2),
        grey.reduce(4),
        grey.point(lambda level: level * 0.4 + 20),
        grey.transpose(Image.Transpose.ROTATE_90),
    ):
        assert sharpness(np.asarray(other)) == pytest.approx(whole, rel=0.2)


def test_flat_picture_and_extreme_shape_are_judged_without_a_fault() -> None:
    assert quality_hints(np.full((200, 200), 128, np.uint8), 800, 800) == ["blurred"]
    assert quality_hints(np.zeros((1, 800), np.uint8), 800, 1) == ["too_dark", "blurred", "small"]


def photos(folder: str, pattern: str) -> list[Path]:
    return sorted((DATA / folder).glob(pattern))


@needs("cassava")
@needs("phone_photos")
@pytest.mark.parametrize(("folder", "pattern"), [("cassava", "train_images/*.jpg"), ("phone_photos", "*/*.jpg")])
def test_real_photos_are_almost_never_flagged(folder: str, pattern: str) -> None:
    found = photos(folder, pattern)
    flagged = [path.name for path in found if hints(path.read_bytes())]
    assert len(found) >= 10
    assert len(flagged) <= 0.03 * len(found), flagged


@functools.cache
def sample(count: int) -> list[Image.Image]:
    """Real photos, the large ones reduced so that the test ends soon."""
    paths = random.Random(SEED).sample(photos("cassava", "train_images/*.jpg"), count)
    found = []
    for path in paths + photos("phone_photos", "*/*.jpg"):
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            photo = ImageOps.exif_transpose(image).convert("RGB")
        found.append(photo.reduce(3) if max(photo.size) > 2000 else photo)
    return found


@needs("cassava")
@needs("phone_photos")
@pytest.mark.parametrize("count", [FEW, pytest.param(MORE, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", SPOILED | NOISY)
def test_spoiled_real_photos_are_nearly_always_flagged(name: str, count: int) -> None:
    hint, spoil = (SPOILED | NOISY)[name]
    found = [hint in hints(encode(spoil(photo), quality=90)) for photo in sample(count)]
    assert np.mean(found) >= 0.95
