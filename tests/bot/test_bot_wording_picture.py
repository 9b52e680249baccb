"""The marked picture, by its pixels: upright, right colours, marked in the right place, bounded memory."""

import base64
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pictures import DATA, encoded, needs, textured
from PIL import Image, ImageChops, ImageCms, ImageStat

from bot.wording import picture
from bot.wording.picture import marked

ROOT = Path(__file__).parents[2]
RED, GREEN, BLUE, YELLOW, BLACK = (220, 30, 30), (30, 200, 30), (30, 30, 220), (220, 220, 30), (0, 0, 0)
WIDTH, HEIGHT = 480, 320
UNDO = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def quarters(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Red, green / blue, yellow."""
    drawn = Image.new("RGB", (2, 2))
    for place, colour in zip(((0, 0), (1, 0), (0, 1), (1, 1)), (RED, GREEN, BLUE, YELLOW), strict=True):
        drawn.putpixel(place, colour)
    return drawn.resize((width, height), Image.Resampling.NEAREST)


def overlay(mark: tuple[int, int, int, int] = (0, 0, 0, 255)) -> str:
    """Clear but for the middle of the top left quarter."""
    drawn = Image.new("RGBA", (384, 256), (0, 0, 0, 0))
    drawn.paste(mark, (48, 32, 144, 96))
    return base64.b64encode(encoded(drawn)).decode()


def turned(orientation: int) -> tuple[Image.Image, bytes]:
    """The quarters as a camera stores them, and the EXIF that says so."""
    method = UNDO[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Maker of phones"
    return quarters().transpose(method) if method is not None else quarters(), exif.tobytes()


def shown(photo: bytes, mark: str | None = None, **options: Any) -> Image.Image:
    made = marked(photo, mark or overlay(), **options)
    assert made is not None
    image = Image.open(io.BytesIO(made), formats=("JPEG",))
    image.load()
    assert not {"exif", "icc_profile", "xmp", "comment", "photoshop"} & set(image.info)
    return image


def near(image: Image.Image, across: float, down: float, colour: tuple[int, int, int], tolerance: int = 14) -> bool:
    pixel = image.convert("RGB").getpixel((int(across * image.width), int(down * image.height)))
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= tolerance for a, b in zip(pixel, colour, strict=True))


def difference(image: Image.Image, other: Image.Image) -> float:
    """Mean, in grey levels."""
    assert image.size == other.size
    return sum(ImageStat.Stat(ImageChops.difference(image.convert("RGB"), other.convert("RGB"))).mean) / 3


def assert_upright_and_marked(image: Image.Image, tolerance: int = 14) -> None:
    for across, down, colour in (
        *((0.25, 0.25, BLACK), (0.14, 0.14, BLACK), (0.36, 0.36, BLACK)),
        *((0.05, 0.25, RED), (0.25, 0.05, RED), (0.45, 0.45, RED)),
        *((0.75, 0.25, GREEN), (0.25, 0.75, BLUE), (0.75, 0.75, YELLOW)),
    ):
        assert near(image, across, down, colour, tolerance), (across, down)


@pytest.mark.parametrize("orientation", UNDO)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_photos_are_turned_upright_before_they_are_marked(kind: str, orientation: int) -> None:
    stored, exif = turned(orientation)
    if kind == "TIFF":
        tags = Image.Exif()
        tags[0x0112] = orientation
        photo = encoded(stored, kind, exif=tags)
    else:
        photo = encoded(stored, kind, exif=exif, **({"quality": 95} if kind != "PNG" else {}))
    image = shown(photo)
    assert image.size == (WIDTH, HEIGHT)
    assert_upright_and_marked(image, 24 if kind in ("WEBP", "AVIF") else 14)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_transparent_parts_are_white(mode: str) -> None:
    clear = Image.new("L", (WIDTH, HEIGHT), 255)
    clear.paste(0, (WIDTH // 2, HEIGHT // 2, WIDTH, HEIGHT))
    if mode == "P":
        drawn = quarters().convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
        photo = encoded(drawn, "PNG", transparency=drawn.getpixel((WIDTH - 9, HEIGHT - 9)))
    elif mode == "PA":
        drawn = quarters().convert("RGBA")
        drawn.putalpha(clear)
        photo = encoded(drawn.quantize(8), "PNG")
    else:
        drawn = quarters().convert(mode)
        drawn.putalpha(clear)
        photo = encoded(drawn, "PNG")
    image = shown(photo)
    assert near(image, 0.75, 0.75, (255, 255, 255))
    assert near(image, 0.25, 0.25, BLACK)
    if mode != "LA":
        assert near(image, 0.75, 0.25, GREEN) and near(image, 0.25, 0.75, BLUE)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_brightness(kind: str) -> None:
    steps = Image.new("I;16", (WIDTH, HEIGHT))
    steps.paste(65535 // 5, (0, 0, WIDTH // 2, HEIGHT))
    steps.paste(65535 * 4 // 5, (WIDTH // 2, 0, WIDTH, HEIGHT))
    image = shown(encoded(steps, kind))
    assert near(image, 0.25, 0.75, (51, 51, 51), 4) and near(image, 0.75, 0.75, (204, 204, 204), 4)
    assert near(image, 0.25, 0.25, BLACK)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_of_wide_samples_the_brightest_is_white(mode: str) -> None:
    steps = Image.new(mode, (WIDTH, HEIGHT), 40_000)
    steps.paste(200_000, (WIDTH // 2, 0, WIDTH, HEIGHT))
    image = shown(encoded(steps, "TIFF"))
    assert near(image, 0.25, 0.75, (51, 51, 51), 4) and near(image, 0.75, 0.75, (255, 255, 255), 4)


@pytest.mark.parametrize(("mode", "kind"), [("CMYK", "JPEG"), ("RGB", "BMP"), ("RGB", "MPO")])
def test_other_modes_and_files_keep_their_colours(mode: str, kind: str) -> None:
    assert_upright_and_marked(shown(encoded(quarters().convert(mode), kind)), 24)


def test_grey_photos_can_be_marked_in_colour() -> None:
    image = shown(encoded(Image.new("L", (WIDTH, HEIGHT), 128), "JPEG"), overlay((200, 20, 230, 255)))
    assert near(image, 0.25, 0.25, (200, 20, 230), 30) and near(image, 0.75, 0.75, (128, 128, 128), 4)


def test_the_mark_lets_the_photo_shine_through() -> None:
    image = shown(encoded(Image.new("RGB", (WIDTH, HEIGHT), (200, 200, 200)), "PNG"), overlay((0, 0, 0, 128)))
    assert near(image, 0.25, 0.25, (100, 100, 100), 4)


def test_metadata_is_left_behind() -> None:
    _, exif = turned(1)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    made = marked(encoded(quarters(), "JPEG", exif=exif, icc_profile=profile, comment=b"my field"), overlay())
    assert made and b"Maker of phones" not in made and b"Exif" not in made and b"my field" not in made


@pytest.mark.parametrize(
    ("size", "expected"),
    [((4000, 3000), (1280, 960)), ((3000, 4000), (960, 1280)), ((4000, 500), (1280, 160)), ((300, 200), (300, 200))],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_photos_become_small_and_small_ones_stay(
    size: tuple[int, int], expected: tuple[int, int], kind: str
) -> None:
    image = shown(encoded(quarters(*size), kind))
    assert abs(image.width - expected[0]) <= 1 and abs(image.height - expected[1]) <= 1
    assert_upright_and_marked(image)


def test_strips_join_without_a_seam() -> None:
    photo = textured(3001, 2777)
    image = shown(encoded(photo, "PNG"), overlay((0, 0, 0, 0)), longest_side=500)
    small = photo.resize(image.size, reducing_gap=3.0)
    expected = Image.open(io.BytesIO(encoded(small, "JPEG", quality=85)))
    assert difference(image, expected) < 2


@needs("odd_images")
def test_heic_photos() -> None:
    photo = (DATA / "odd_images" / "pug.heic").read_bytes()
    image = shown(photo)
    with Image.open(io.BytesIO(photo)) as decoded:  # which libheif has turned upright
        plain = decoded.convert("RGB").resize(image.size)
    assert abs(plain.width / plain.height - image.width / image.height) < 0.01
    right = (image.width // 2, 0, image.width, image.height)
    assert difference(image.crop(right), plain.crop(right)) < 4
    assert near(image, 0.25, 0.25, BLACK)


@needs("odd_images")
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_real_camera_turns_the_same_way(orientation: int) -> None:
    folder = DATA / "odd_images"
    image = shown((folder / f"hopper_orientation_{orientation}.jpg").read_bytes(), overlay((0, 0, 0, 0)))
    with Image.open(folder / "hopper_orientation_2.jpg") as other:
        expected = other.transpose(Image.Transpose.FLIP_LEFT_RIGHT).convert("RGB").resize(image.size)
    assert difference(image, expected) < 12


@pytest.mark.parametrize("photo", [b"", b"no picture", encoded(quarters(), "JPEG")[:3000], encoded(quarters(), "GIF")])
def test_what_cannot_be_decoded_is_not_marked(photo: bytes) -> None:
    assert marked(photo, overlay()) is None


@pytest.mark.parametrize("mark", ["", "bm8gcGljdHVyZQ==", "%%%"])
def test_without_a_readable_overlay_nothing_is_marked(mark: str) -> None:
    assert marked(encoded(quarters()), mark) is None


@pytest.mark.parametrize(
    ("kind", "options", "fits"),
    [
        ("JPEG", {}, True),
        ("JPEG", {"progressive": True}, False),
        ("PNG", {}, False),
        ("WEBP", {}, False),
        ("AVIF", {}, False),
    ],
)
def test_what_would_take_too_much_memory_is_not_decoded(
    kind: str, options: dict[str, Any], fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "_MOST_BYTES", 2 * WIDTH * HEIGHT)
    assert (marked(encoded(quarters(), kind, **options), overlay()) is not None) == fits


@pytest.mark.parametrize(("kind", "most_mib"), [("JPEG", 100), ("PNG", 260)])
def test_a_photo_of_48_megapixels_takes_bounded_memory(kind: str, most_mib: int, tmp_path: Path) -> None:
    photo = tmp_path / "photo"
    textured(1000, 750).resize((8000, 6000)).save(photo, kind, compress_level=1)
    program = (
        "import resource, sys; from pathlib import Path; from bot.wording.picture import marked\n"
        "photo = Path(sys.argv[1]).read_bytes()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert marked(photo, sys.argv[2])\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(photo), overlay()], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) <= most_mib
