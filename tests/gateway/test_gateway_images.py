"""What the checks do to odd and hostile images: unit tests of the checks, then the real process."""

import io
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from null_repository import LIMITS
from photos import CROWDS, crowded, crowded_tiff, encode, many_scans_jpeg, photo, picture, png_chunk, zero_png
from PIL import Image
from processes import GatewayProcess, TritonProcess, running_gateway, wait_until

from gateway import errors
from gateway.images import formats, jpeg
from gateway.images.decoding import check_pixels
from gateway.images.headers import read_header
from gateway.triton.release import Limits

DATA = Path(__file__).parents[2].parent / "shared" / "data"
ODD_IMAGES = sorted((DATA / "odd_images").glob("*.*"))
REFUSED_ODD_IMAGES = {
    "black_and_white.ico": 415,
    "broken_data_stream.png": 422,
    "broken.png": 422,
    "comment.jp2": 415,
    "decompression_bomb.gif": 415,
    "decompression_bomb.ico": 415,
    "exif_gps.jpg": 422,  # 8x8 pixels
    "hopper.gif": 415,
    "hopper.ico": 415,
    "hopper.psd": 415,
    "iss634.webp": 422,
    "LICENSE.pillow": 415,
    "truncated_image.png": 422,
    "truncated_jpeg.jpg": 422,
}
ORIENTATION = 0x0112
ROTATE_CLOCKWISE = 6
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, on broken metadata
LIMITS_OF_TESTS = Limits.model_validate(LIMITS)


def check(data: bytes, limits: Limits = LIMITS_OF_TESTS) -> bytes:
    return check_pixels(data, read_header(data, limits, 2**24)).encoded


FORMATS = {
    "jpeg": encode(picture()),
    "jpeg-progressive": encode(picture(), progressive=True),
    "png": encode(picture(), "PNG"),
    "webp": encode(picture(), "WEBP"),
    "tiff": encode(picture(), "TIFF", compression="tiff_lzw"),
    "bmp": encode(picture(), "BMP"),
    "avif": encode(picture(), "AVIF"),
}


@pytest.mark.parametrize("part", [0.001, 0.1, 0.3, 0.6, 0.9, 0.98])
@pytest.mark.parametrize("name", FORMATS)
def test_truncation_is_found(name: str, part: float) -> None:
    data = FORMATS[name]
    with pytest.raises((errors.UndecodableImage, errors.UnsupportedFormat)):
        check(data[: int(len(data) * part)])


@pytest.mark.parametrize("name", FORMATS)
def test_random_damage_is_never_a_defect(name: str) -> None:
    data = FORMATS[name]
    for at in range(0, len(data), max(1, len(data) // 200)):
        try:
            check(data[:at] + b"\xff\x00\xff" + data[at + 3 :])
        except errors.Problem as problem:
            assert problem.status in (415, 422)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "avif"])
def test_bytes_that_dali_reads_are_passed_on_unchanged(name: str) -> None:
    assert check(FORMATS[name]) is FORMATS[name]


def test_avif_becomes_an_upright_jpeg_without_metadata() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = ROTATE_CLOCKWISE
    with Image.open(io.BytesIO(check(encode(picture(320, 240), "AVIF", exif=exif, quality=90)))) as image:
        assert (image.format, image.size, image.getexif().get(ORIENTATION)) == ("JPEG", (240, 320), None)
        expected = picture(320, 240).transpose(Image.Transpose.ROTATE_270)
        for at in ((5, 5), (234, 5), (5, 314)):
            assert all(abs(a - b) < 12 for a, b in zip(image.getpixel(at), expected.getpixel(at), strict=True))


@pytest.mark.skipif(not (DATA / "odd_images" / "pug.heic").exists(), reason="shared data is not here")
def test_heic_becomes_a_jpeg() -> None:
    assert check((DATA / "odd_images" / "pug.heic").read_bytes()).startswith(b"\xff\xd8\xff")


def test_transparent_and_grey_avif_become_jpegs() -> None:
    for mode in ("RGBA", "L"):
        assert check(encode(picture().convert(mode), "AVIF")).startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encode(picture(), "WEBP", save_all=True, append_images=[picture().rotate(180)]), id="webp"),
        pytest.param(encode(picture(), "PNG", save_all=True, append_images=[picture().rotate(180)]), id="png"),
        pytest.param(encode(picture(), "TIFF", save_all=True, append_images=[picture()]), id="tiff"),
        pytest.param(encode(picture(), "AVIF", save_all=True, append_images=[picture().rotate(180)]), id="avif"),
        pytest.param(b"\x00\x00\x00\x18ftyphevc" + bytes(64), id="heif-sequence"),
        pytest.param(b"\x00\x00\x00\x18ftypmsf1" + bytes(64), id="heif-generic-sequence"),
    ],
)
def test_several_frames_are_refused(data: bytes) -> None:
    with pytest.raises(errors.SeveralFrames):
        check(data)


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1heic", "HEIF"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avif", "AVIF"),
        (b"\x00\x00\x00\x18ftypheix\x00\x00\x00\x00mif1", "HEIF"),
        (b"MM\x00*", "TIFF"),
    ],
)
def test_generic_containers_are_told_apart(start: bytes, name: str) -> None:
    assert formats.sniff(start + bytes(32)) == name


@pytest.mark.parametrize(
    "start",
    [
        b"GIF89a",
        b"8BPS",
        b"%PDF-1.7",
        b"<svg",
        b"\xff\x0a",
        b"RIFF\0\0\0\0WAVE",
        b"II+\x00",
        b"\x00\x00\x00\x18ftypmp42",
    ],
)
def test_other_formats_are_refused(start: bytes) -> None:
    with pytest.raises(errors.UnsupportedFormat):
        formats.sniff(start + bytes(32))


@pytest.mark.parametrize("kind", [b"VP8 ", b"VP8L", b"VP8X", b"JUNK"])
def test_webp_header_is_read_without_its_data(kind: bytes) -> None:
    with pytest.raises((errors.UndecodableImage, errors.ImageTooSmall)):
        read_header(b"RIFF\x20\x00\x00\x00WEBP" + kind + bytes(20), LIMITS_OF_TESTS, 2**24)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xd8\xff", id="three-bytes"),
        pytest.param(b"\xff\xd8\xff\xe0\x00\x01", id="segment-of-length-1"),
        pytest.param(b"\xff\xd8\xff\xd9", id="ends-at-once"),
        pytest.param(b"\xff\xd8\xff\xff\xff\xda\x00\x02\x01\x01\x00", id="scan-without-frame"),
        pytest.param(b"\xff\xd8\xff\x01\x00", id="no-marker"),
        pytest.param(b"\xff\xd8\xff\xc0\x00\x08\x08\x01\x00\x01\x00\x00", id="no-components"),
    ],
)
def test_broken_jpeg_markers(data: bytes) -> None:
    with pytest.raises(jpeg.BrokenHeaderError):
        jpeg.read_header(data)


@pytest.mark.parametrize(("subsampling", "coefficients"), [("4:4:4", 3), ("4:2:2", 2), ("4:2:0", 1.5)])
def test_coefficients_follow_the_sampling(subsampling: str, coefficients: float) -> None:
    header = jpeg.read_header(encode(picture(), subsampling=subsampling))
    assert (header.width, header.height, header.several_scans) == (320, 240, False)
    assert header.coefficients_per_pixel == coefficients


def test_scans_of_an_appended_preview_are_not_counted() -> None:
    data = encode(picture(), progressive=True)
    first = jpeg.read_header(data).first_scan
    assert jpeg.count_scans(data, first, 1000) == jpeg.count_scans(data + data, first, 1000) < 15


def test_jpeg_with_thousands_of_scans_is_refused_at_once() -> None:
    data = many_scans_jpeg(20_000)
    started = time.monotonic()
    with pytest.raises(errors.UndecodableImage, match="scans"):
        check(data)
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize(
    ("width", "height", "problem"),
    [
        (31, 200, errors.ImageTooSmall),
        (200, 31, errors.ImageTooSmall),
        (40, 321, errors.ImageTooElongated),
        (321, 40, errors.ImageTooElongated),
        (8193, 8193, errors.ImageTooLarge),
    ],
)
def test_limits_are_the_releases(width: int, height: int, problem: type[errors.Problem]) -> None:
    with pytest.raises(problem):
        read_header(zero_png(width, height), LIMITS_OF_TESTS, 2**24)


def test_pillows_own_bomb_limit_is_answered_as_too_large() -> None:
    limits = Limits(max_bytes=10**9, max_pixels=10**12, min_side=1, max_aspect_ratio=10**6)
    huge = bytearray(FORMATS["bmp"])
    struct.pack_into("<II", huge, 18, 20_000, 20_000)
    with pytest.raises(errors.ImageTooLarge):
        read_header(bytes(huge), limits, 2**24)


@pytest.mark.parametrize("kind", [*CROWDS, "tiff-tags"])
def test_millions_of_parts_are_refused_at_once(kind: str) -> None:
    data = crowded_tiff() if kind == "tiff-tags" else crowded(kind, 20_000_000)
    started = time.monotonic()
    with pytest.raises(errors.UndecodableImage):
        read_header(data, LIMITS_OF_TESTS, 2**24)
    assert time.monotonic() - started < 0.2


def test_millions_of_segments_between_scans_are_refused_at_once() -> None:
    data = encode(picture(), progressive=True)
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    upload = data[:second] + b"\xff\xfe\x00\x02" * 4_000_000 + data[second:]
    started = time.process_time()
    with pytest.raises(errors.UndecodableImage):
        check(upload)
    assert time.process_time() - started < 0.2


def test_as_many_parts_as_writers_make_are_accepted() -> None:
    plain = encode(picture(1600, 1200), "PNG", compress_level=0)
    start, end = plain.index(b"IDAT") - 4, plain.rindex(b"IEND") - 4
    pixels = b"".join(chunk[8:-4] for chunk in png_chunks(plain[start:end]))
    in_4_kb = b"".join(png_chunk(b"IDAT", pixels[at : at + 4096]) for at in range(0, len(pixels), 4096))
    texts = png_chunk(b"tEXt", b"Comment\x00a leaf") * 300
    assert check(plain[:start] + in_4_kb + texts + plain[end:])
    jpeg_file = FORMATS["jpeg"]
    profile = (b"\xff\xe2\xff\xff" + bytes(65_533)) * 300
    assert check(jpeg_file[:2] + profile + jpeg_file[2:])


def png_chunks(data: bytes) -> Iterator[bytes]:
    while data:
        size = 12 + int.from_bytes(data[:4], "big")
        yield data[:size]
        data = data[size:]


@pytest.mark.parametrize("end", [0, 4, 11])
def test_png_without_its_end_is_refused(end: int) -> None:
    data = FORMATS["png"]
    assert check(data + b"appended by a phone")
    with pytest.raises(errors.UndecodableImage):
        check(data[: len(data) - 12 + end])


@pytest.fixture(scope="module")
def busy(null_triton: TritonProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway for what is sent by the dozen."""
    with running_gateway(null_triton.grpc_url, tmp_path_factory.mktemp("busy") / "log") as gateway:
        yield gateway


def test_one_upload_does_not_hold_up_the_others(busy: GatewayProcess) -> None:
    uploads = [crowded(kind, 20_000_000) for kind in CROWDS] + [crowded_tiff()]
    slowest = 0.0
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(httpx2.post, f"{busy.url}/v1/predict", content=data, timeout=20) for data in uploads]
        while not all(sent.done() for sent in waiting):
            started = time.monotonic()
            assert busy.is_live()
            slowest = max(slowest, time.monotonic() - started)
    assert {sent.result().status_code for sent in waiting} == {422}
    assert slowest < 1


@pytest.mark.parametrize(
    ("image", "slug"),
    [
        pytest.param(lambda: zero_png(1, 65_000), "image-too-small", id="1x65000"),
        pytest.param(lambda: zero_png(30_000, 30_000), "image-too-large", id="30000x30000"),
        pytest.param(lambda: many_scans_jpeg(20_000), "undecodable-image", id="many-scans"),
        pytest.param(
            lambda: encode(Image.new("L", (8100, 8100)), "WEBP", quality=1, method=0), "image-too-large", id="webp-65MP"
        ),
    ],
)
def test_hostile_sizes_cost_little_memory_and_time(
    client: httpx2.Client, gateway: GatewayProcess, image: Callable[[], bytes], slug: str
) -> None:
    data = image()
    before = gateway.reset_peak()
    started = time.monotonic()
    reply = client.post("/v1/predict", content=data)
    assert (reply.status_code, reply.json()["type"]) == (422, f"/problems/{slug}")
    assert time.monotonic() - started < 5
    assert gateway.peak_bytes - before < 100e6


def test_several_huge_decodes_at_once_stay_within_the_budget(client: httpx2.Client, gateway: GatewayProcess) -> None:
    huge = zero_png(8192, 8192)
    before = gateway.reset_peak()
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: client.post("/v1/predict", content=huge), range(4)))
    assert {reply.status_code for reply in replies} <= {200, 503}
    assert 200 in {reply.status_code for reply in replies}
    assert gateway.peak_bytes - before < 512e6


@pytest.mark.parametrize(
    ("image", "copies", "query"),
    [
        pytest.param(lambda: encode(Image.new("RGB", (5000, 5000)), "WEBP", method=0), 8, "", id="webp-25MP"),
        pytest.param(
            lambda: encode(Image.new("RGBA", (6900, 6900), (90, 140, 60, 255)), "PNG", compress_level=1),
            3,
            "?keep_photo=true",
            id="png-47MP-kept",
        ),
    ],
)
def test_memory_is_bounded_and_given_back(
    busy: GatewayProcess, image: Callable[[], bytes], copies: int, query: str
) -> None:
    data = image()
    url = f"{busy.url}/v1/predict"
    assert httpx2.post(url, content=photo()).status_code == 200
    before = busy.reset_peak()
    with ThreadPoolExecutor(copies) as pool:
        replies = list(pool.map(lambda _: httpx2.post(url + query, content=data, timeout=20), range(copies)))
    answered = [reply.json()["prediction_id"] for reply in replies if reply.status_code == 200]
    assert {reply.status_code for reply in replies} <= {200, 503}
    assert answered
    if query:
        records = [f"{busy.url}/v1/predictions/{prediction}" for prediction in answered]
        wait_until(lambda: all(httpx2.get(url).json()["photo_kept"] for url in records), 20, "photos kept")
    assert busy.peak_bytes - before < 512e6
    assert busy.reset_peak() - before < 100e6


@pytest.mark.skipif(not ODD_IMAGES, reason="shared data is not here")
@pytest.mark.parametrize("path", ODD_IMAGES, ids=lambda path: path.name)
def test_odd_images_get_a_documented_answer(client: httpx2.Client, gateway: GatewayProcess, path: Path) -> None:
    started = time.monotonic()
    reply = client.post("/v1/predict", content=path.read_bytes())
    assert time.monotonic() - started < 5
    assert reply.status_code == REFUSED_ODD_IMAGES.get(path.name, 200), reply.text
    assert gateway.is_live()


def test_good_photos_between_bad_ones_are_answered(client: httpx2.Client) -> None:
    for bad in (b"x" * 100, photo()[:900], photo("refuse=invalid")):
        assert client.post("/v1/predict", content=bad).status_code in (415, 422)
        assert client.post("/v1/predict", content=photo()).status_code == 200
