"""Very large photos made smaller: the same answer from the demo's release, the same strictness, bounded memory."""

import asyncio
import io
import shutil
import struct
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest
from null_repository import LIMITS
from photos import encode, zero_png
from pictures import DATA, needs, textured
from PIL import Image, ImageOps
from processes import ROOT, TritonProcess, free_ports

from gateway import errors
from gateway.images import checking
from gateway.images.checking import ImageChecker
from gateway.images.decoding import CheckedImage, check_pixels
from gateway.images.headers import most_pixels_by_format, read_header
from gateway.settings import Settings
from gateway.triton.client import Triton
from gateway.triton.release import Answer, Limits, read_release

LIMITS_OF_TESTS = Limits.model_validate(LIMITS)
MOST_PIXELS = Settings.model_fields["reduce_above_pixels"].default
TOLERANCE = 0.02
ORIENTATION = 0x0112
WIDE = (3600, 2400)

Encoding = Callable[[Image.Image], bytes]
ENCODINGS: dict[str, Encoding] = {
    "jpeg": lambda picture: encode(picture, quality=90),
    "jpeg-progressive-444": lambda picture: encode(picture, quality=90, progressive=True, subsampling=0),
    "jpeg-grey": lambda picture: encode(picture.convert("L"), quality=90),
    "jpeg-cmyk": lambda picture: encode(picture.convert("CMYK"), quality=90),
    "png": lambda picture: encode(picture, "PNG", compress_level=1),
    "png-alpha": lambda picture: encode(picture.convert("RGBA"), "PNG", compress_level=1),
    "png-palette": lambda picture: encode(picture.quantize(128), "PNG", compress_level=1),
    "png-16-bit": lambda picture: encode(wide_grey(picture), "PNG", compress_level=1),
    "tiff": lambda picture: encode(picture, "TIFF", compression="tiff_lzw"),
    "bmp": lambda picture: encode(picture, "BMP"),
    "webp": lambda picture: encode(picture, "WEBP", quality=90, method=0),
}

RARE = {"jpeg-cmyk", "png-alpha", "png-palette", "png-16-bit", "bmp"}


@cache
def wide() -> Image.Image:
    """A picture that is reduced."""
    return textured(*WIDE)


def wide_grey(picture: Image.Image) -> Image.Image:
    """16-bit grey levels."""
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)


def check(data: bytes, limits: Limits = LIMITS_OF_TESTS) -> CheckedImage:
    return check_pixels(data, read_header(data, limits, MOST_PIXELS))


def size_of(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        return image.size


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[list[bytes]], list[tuple[Answer, Answer]]]]:
    """Answers of the demo's release to photos as they are, and as the gateway passes them on."""
    repository = tmp_path_factory.mktemp("demo") / "model_repository"
    shutil.copytree(ROOT / "demo" / "model_repository", repository)
    triton = TritonProcess(repository, free_ports(3), load=("leaf_ensemble_1",))
    triton.start()
    settings = Settings(triton_url=triton.grpc_url, queue_timeout_s=28, infer_timeout_s=29, request_deadline_s=30)

    async def answers(photos: list[bytes]) -> list[tuple[Answer, Answer]]:
        client, checker = Triton(settings), ImageChecker(settings)
        try:
            release = read_release("leaf_ensemble_1", await client.model_parameters("leaf_ensemble_1"))
            pairs = []
            for photo in photos:
                checked = await checker.check(photo, release.limits)
                assert checked.encoded is not photo
                whole = await client.infer(release, photo, "whole")
                pairs.append((whole, await client.infer(release, checked.encoded, "reduced")))
            return pairs
        finally:
            await client.close()
            checker.close()

    yield lambda photos: asyncio.run(answers(photos))
    triton.stop()


def assert_same(pairs: list[tuple[Answer, Answer]]) -> None:
    for whole, reduced in pairs:
        assert np.abs(whole.ensemble - reduced.ensemble).max() <= TOLERANCE
        assert whole.ensemble.argmax() == reduced.ensemble.argmax()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in RARE else []) for name in ENCODINGS]
)
def test_answer_stays_the_same(ask: Callable[[list[bytes]], list[tuple[Answer, Answer]]], name: str) -> None:
    assert_same(ask([ENCODINGS[name](wide())]))


@needs("phone_photos")
def test_answer_to_phone_photos_and_larger_ones_stays_the_same(
    ask: Callable[[list[bytes]], list[tuple[Answer, Answer]]],
) -> None:
    phone = [p for p in sorted((DATA / "phone_photos").glob("*/*.jpg")) if np.prod(size_of(p.read_bytes())) > 12e6]
    assert len(phone) >= 6
    photos = [path.read_bytes() for path in phone]
    with Image.open(phone[-1]) as image:  # turned by its EXIF note
        assert image.getexif()[ORIENTATION] != 1
        larger = image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC)
        photos.append(encode(larger, quality=90, exif=image.getexif()))
    assert_same(ask(photos))


@pytest.mark.parametrize(
    ("size", "side", "factor"),
    [
        ((4032, 3024), 1024, 2),
        ((4032, 3024), 826, 2),
        ((4032, 3024), 400, 4),
        ((8192, 8192), 1024, 8),
        ((8192, 8192), 2100, 4),  # 2 would keep more than enough detail, and too many pixels
        ((8064, 1040), 1024, 1),  # not above the number of pixels
        ((10000, 1300), 1024, 2),  # less detail than wanted, since pixels have to be few
        ((23000, 2900), 1024, 4),
    ],
)
def test_reduction_keeps_the_shorter_side_and_bounds_the_pixels(size: tuple[int, int], side: int, factor: int) -> None:
    limits = LIMITS_OF_TESTS.model_copy(update={"reduced_side": side})
    header = read_header(zero_png(*size), limits, MOST_PIXELS)
    assert header.reduction == factor
    assert header.width * header.height / factor**2 <= MOST_PIXELS


@pytest.mark.parametrize(
    ("name", "side", "orientation"),
    [
        *((name, 320, turn) for name in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF") for turn in range(1, 9)),
        *((name, WIDE[0], 6) for name in ("JPEG", "PNG", "WEBP", "TIFF")),
    ],
)
def test_photo_its_preview_and_what_is_passed_on_stand_upright(name: str, side: int, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    picture = textured(side, side * 2 // 3)
    options = {"PNG": {"compress_level": 1}, "WEBP": {"method": 0}, "AVIF": {"speed": 10}}.get(name, {})
    data = encode(picture, name, exif=exif, **options)
    with Image.open(io.BytesIO(data)) as opened:
        shown = ImageOps.exif_transpose(opened).convert("RGB")
    pixels = check(data)
    assert (pixels.width, pixels.height) == shown.size
    rows, columns = pixels.preview.shape
    assert columns / rows == pytest.approx(shown.width / shown.height, rel=0.02)
    expected = np.asarray(shown.convert("L").resize((columns, rows), Image.Resampling.BOX), float)
    assert np.abs(expected - pixels.preview).mean() < 4
    if pixels.encoded is not data:
        with Image.open(io.BytesIO(pixels.encoded)) as passed:
            assert (passed.format, dict(passed.getexif())) == ("JPEG", {})
            there = np.asarray(passed.convert("RGB").resize((columns, rows), Image.Resampling.BOX), float)
        expected = np.asarray(shown.resize((columns, rows), Image.Resampling.BOX), float)
        assert np.abs(expected - there).mean() < 4


@pytest.mark.parametrize("side", [(800, 600), (300, 200), (4000, 3000), (8000, 1000), (64, 64)])
def test_preview_has_at_least_192_pixels_where_the_photo_has(side: tuple[int, int]) -> None:
    for data in (encode(textured(*side)), encode(textured(*side), "PNG", compress_level=1)):
        assert min(192, max(side)) <= max(check(data).preview.shape) < 384


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", ["jpeg", "jpeg-progressive-444", "png", "tiff", "webp"])
def test_truncation_of_a_reduced_photo_is_found(name: str, part: float) -> None:
    data = ENCODINGS[name](wide())
    with pytest.raises(errors.UndecodableImage):
        check(data[: int(len(data) * part)])


@pytest.mark.parametrize("progressive", [False, True])
def test_verdict_on_damaged_jpegs_is_that_of_a_decode_at_full_size(progressive: bool) -> None:
    data = encode(textured(320, 240), progressive=progressive)
    rng = np.random.default_rng(5)
    verdicts = []
    for _ in range(150):
        damaged = bytearray(data)
        for at in rng.integers(0, len(data), 3):
            damaged[at] = rng.integers(0, 256)
        if rng.random() < 0.3:
            del damaged[rng.integers(len(data) // 2, len(data)) :]
        verdicts.append((decodes(check, bytes(damaged)), decodes(load_fully, bytes(damaged))))
    assert all(ours == full for ours, full in verdicts)
    assert 20 < sum(ours for ours, _ in verdicts) < 130


def decodes(decode: Callable[[bytes], object], data: bytes) -> bool:
    try:
        decode(data)
    except Exception:
        return False
    return True


def load_fully(data: bytes) -> None:
    read_header(data, LIMITS_OF_TESTS, MOST_PIXELS)
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        image.load()


def test_metadata_does_not_leave_with_a_reduced_photo() -> None:
    exif = Image.Exif()
    exif[0x013B] = "Jane Doe"
    data = encode(wide(), exif=exif, comment=b"at Jane's farm", icc_profile=b"profile of Jane")
    assert b"Jane" in data
    assert b"Jane" not in check(data).encoded


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_leaves_a_photo_as_it_is() -> None:
    data = encode(textured(320, 240), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + bytes(20))
    pixels = check(data)
    assert (pixels.encoded, pixels.width, pixels.height) == (data, 320, 240)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_samples_without_an_agreed_white_are_passed_on_unchanged(mode: str) -> None:
    data = encode(wide().convert("L").convert(mode), "TIFF")
    pixels = check(data)
    assert pixels.encoded is data
    assert pixels.preview.max() > 200


def checked_all(photos: list[bytes], **settings: object) -> list[CheckedImage]:
    async def together() -> list[CheckedImage]:
        checker = ImageChecker(Settings(**settings))
        try:
            return await asyncio.gather(*(checker.check(photo, LIMITS_OF_TESTS) for photo in photos))
        finally:
            checker.close()

    return asyncio.run(together())


def test_waiting_for_a_thread_or_memory_is_told_apart_from_working(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_MOST_WAIT_S", 20)
    photos = [encode(wide(), "PNG", compress_level=1)] * 4
    for settings in ({"check_threads": 1}, {"check_threads": 4, "decode_memory_bytes": 60_000_000}):
        queued = sorted(image.queued_s for image in checked_all(photos, **settings))
        assert queued[0] < 0.1
        assert queued[3] > queued[1] > queued[0]


def test_a_photo_that_only_waits_for_memory_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_MOST_WAIT_S", 0.01)
    photo = encode(wide(), "PNG", compress_level=1)

    async def together() -> list[CheckedImage | BaseException]:
        checker = ImageChecker(Settings(check_threads=4, decode_memory_bytes=60_000_000))
        try:
            first = await asyncio.gather(
                *(checker.check(photo, LIMITS_OF_TESTS) for _ in "1234"), return_exceptions=True
            )
            return [*first, await checker.check(photo, LIMITS_OF_TESTS)]  # none of them holds any for ever
        finally:
            checker.close()

    first, *others, last = asyncio.run(together())
    assert isinstance(first, CheckedImage) and isinstance(last, CheckedImage)
    assert {type(other) for other in others} == {errors.Overloaded}


def tiff_bytes(width: int, height: int, rows: int, bits: int = 16) -> bytes:
    """A colour TIFF whose strips of `rows` rows are promised and missing."""
    strips = -(-height // rows)
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, 200), (259, 3, 1, 8), (262, 3, 1, 2)]
    tags += [(273, 4, strips, 300), (277, 3, 1, 3), (278, 4, 1, rows), (279, 4, strips, 300 + 4 * strips)]
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return (head + bytes(4)).ljust(200, b"\0") + struct.pack("<3H", bits, bits, bits) + bytes(100 + 8 * strips)


def test_tiff_needs_memory_for_its_strips_not_for_all_of_them() -> None:
    whole, parts = (read_header(tiff_bytes(8192, 8192, rows), LIMITS_OF_TESTS, MOST_PIXELS) for rows in (8192, 16))
    assert whole.decode_bytes == pytest.approx(8192 * 8192 * 10, rel=0.01)
    assert parts.decode_bytes < 8192 * 8192 * 4.3


def test_most_pixels_of_each_format_follow_from_memory() -> None:
    memory = Settings.model_fields["decode_memory_bytes"].default
    most = most_pixels_by_format(memory, LIMITS_OF_TESTS)
    assert set(most) == {"JPEG", "PNG", "BMP", "TIFF", "WEBP", "HEIF", "AVIF"}
    assert {name for name, pixels in most.items() if pixels < LIMITS_OF_TESTS.max_pixels} == {"WEBP", "AVIF"}
    width = 5000
    for too_much in (0, 1):
        webp = webp_header(width, most["WEBP"] // width + too_much)
        assert (read_header(webp, LIMITS_OF_TESTS, MOST_PIXELS).decode_bytes > memory) == bool(too_much)


def webp_header(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + sides + bytes(8)
