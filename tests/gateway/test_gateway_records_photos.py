"""Kept photos: upright, small, in sRGB, and nothing but the picture."""

import asyncio
import io
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
from photos import encode, picture, zero_png
from PIL import Image, ImageCms
from processes import ROOT
from record_entries import entry
from sqlalchemy import Engine, select

from gateway.database.schema import predictions
from gateway.records.photos import PhotoStore, PhotoTooLargeError, without_metadata
from gateway.records.recorder import Recorder
from gateway.settings import Settings

pytest_plugins = ("database_fixtures",)

ORIENTATION, GPS, MAKER = 0x0112, 0x8825, 0x010F
HEIC = ROOT.parent / "shared" / "data" / "odd_images" / "pug.heic"
ID = "0123456789abcdef" * 2


def _opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    assert image.format == "JPEG" and image.mode == "RGB"
    return image


def _markers(data: bytes) -> set[int]:
    """Markers of a JPEG's header."""
    found, at = set(), 2
    while data[at + 1] != 0xDA:
        found.add(data[at + 1])
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return found


def _difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other.convert("RGB"), dtype=float)).mean())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_and_without_metadata(orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[MAKER] = "secret camera"
    exif.get_ifd(GPS).update({1: "N", 2: (1.0, 2.0, 3.0)})
    upright = picture(320, 240)
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    data = encode(stored, exif=exif, comment=b"secret remark", quality=95)
    kept = without_metadata(data)
    assert b"secret" in data and b"secret" not in kept and b"Exif" not in kept
    assert not _markers(kept) & {*range(0xE1, 0xF0), 0xFE}  # no APP1 to APP15, no comment
    image = _opened(kept)
    assert image.size == (320, 240) and not image.getexif()
    assert _difference(image, upright) < 3


def test_profile_is_honoured_and_dropped() -> None:
    # A profile whose red and blue are swapped is easily told from none.
    srgb = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = srgb.index(b"rXYZ"), srgb.index(b"bXYZ")
    srgb[red : red + 4], srgb[blue : blue + 4] = b"bXYZ", b"rXYZ"
    upright = picture()
    kept = _opened(without_metadata(encode(upright, icc_profile=bytes(srgb), quality=95)))
    assert "icc_profile" not in kept.info
    swapped = Image.merge("RGB", upright.split()[::-1])
    assert _difference(kept, swapped) < 6 < _difference(kept, upright)


@pytest.mark.parametrize("profile", [b"no profile at all", b"\0" * 200])
def test_a_broken_profile_is_passed_over(profile: bytes) -> None:
    assert _difference(_opened(without_metadata(encode(picture(), icc_profile=profile))), picture()) < 4


@pytest.mark.parametrize(
    ("size", "expected"), [((5000, 2500), (2048, 1024)), ((1000, 2100), (975, 2048)), ((64, 48),) * 2]
)
@pytest.mark.parametrize("name", ["JPEG", "PNG"])
def test_longer_side(name: str, size: tuple[int, int], expected: tuple[int, int]) -> None:
    kept = _opened(without_metadata(encode(picture(*size), name)))
    assert kept.size == expected
    assert _difference(kept, picture(*size).resize(expected, Image.Resampling.LANCZOS)) < 3


@pytest.mark.parametrize("name", ["WEBP", "BMP", "TIFF", "AVIF"])
def test_formats(name: str) -> None:
    assert _difference(_opened(without_metadata(encode(picture(), name))), picture()) < 8


@pytest.mark.skipif(not HEIC.exists(), reason="shared data is not here")
def test_heic() -> None:
    assert max(_opened(without_metadata(HEIC.read_bytes())).size) <= 2048


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "CMYK", "I;16"])
def test_modes(mode: str) -> None:
    image = picture().convert("L").convert("I;16") if mode == "I;16" else picture().convert(mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(picture().convert("L"), dtype=np.uint16) * 257)
    kept = _opened(without_metadata(encode(image, "TIFF" if mode == "CMYK" else "PNG")))
    reference = picture().convert("L") if mode in ("L", "LA", "1", "I;16") else picture()
    assert kept.size == (320, 240)
    assert _difference(kept, reference) < (130 if mode == "1" else 30 if mode == "P" else 4)


def test_what_is_transparent_becomes_white() -> None:
    kept = _opened(without_metadata(encode(Image.new("RGBA", (64, 64), (0, 0, 0, 0)), "PNG")))
    assert np.asarray(kept).min() > 250


def test_too_large_to_decode_in_passing() -> None:
    with pytest.raises(PhotoTooLargeError):
        without_metadata(zero_png(7000, 7000))


def test_files_are_private_and_named_by_id_only(tmp_path: Path) -> None:
    store = PhotoStore(tmp_path / "photos")
    store.keep(ID, encode(picture()))
    assert stat.S_IMODE(store.path(ID).stat().st_mode) == 0o600
    assert store.read(ID) == store.path(ID).read_bytes() and store.read("f" * 32) is None
    assert [path.name for path in (tmp_path / "photos").rglob("*") if path.is_file()] == [f"{ID}.jpg"]
    assert store.remove(ID) and not store.remove(ID)
    for other in ("../secret", "", "0" * 31, ID.upper(), f"{ID}\n"):
        with pytest.raises(ValueError, match="prediction id"):
            store.path(other)


def test_recorder_keeps_only_what_may_be_kept(engine: Engine, tmp_path: Path) -> None:
    recorder = Recorder(Settings(data_dir=tmp_path, record_queue_bytes=2**20), engine)
    kept, unkept, broken = entry(photo=encode(picture())), entry(), entry(photo=b"no image")
    too_much = entry(photo=bytes(2**20 + 1))
    for item in (kept, unkept, broken, too_much):
        recorder.put(item)
    asyncio.run(recorder.close())
    with engine.connect() as connection:
        rows = dict(connection.execute(select(predictions.c.id, predictions.c.photo_kept)).all())
    assert rows == {item.prediction_id: item is kept for item in (kept, unkept, broken, too_much)}
    assert (recorder.written, recorder.dropped, recorder.photos_dropped) == (4, 0, 2)
    assert [path.stem for path in (tmp_path / "photos").rglob("*.*")] == [kept.prediction_id]


def test_rows_do_not_wait_for_photos(engine: Engine, tmp_path: Path) -> None:
    recorder = Recorder(Settings(data_dir=tmp_path), engine)
    slow = encode(picture(4000, 3000), "PNG")

    async def scenario() -> None:
        for _ in range(5):
            recorder.put(entry(photo=slow))
        assert await recorder.flush(1)

    asyncio.run(scenario())
    assert len(list((tmp_path / "photos").rglob("*.jpg"))) < 5
    asyncio.run(recorder.close())
    with engine.connect() as connection:
        assert connection.execute(select(predictions.c.photo_kept)).scalars().all() == [True] * 5


def test_a_nearly_full_disk_takes_no_more_photos(engine: Engine, tmp_path: Path) -> None:
    most = shutil.disk_usage(tmp_path).free
    for min_free_bytes, kept in ((most * 2, False), (most // 2, True)):
        recorder = Recorder(Settings(data_dir=tmp_path, photos_min_free_bytes=min_free_bytes), engine)
        recorder.put(answered := entry(photo=encode(picture())))
        told = asyncio.run(recorder.keep_photo(answered.prediction_id, encode(picture()), 320, 240))
        asyncio.run(recorder.close())
        assert (told, recorder.photos_dropped) == ((True, 0) if kept else (False, 2))
        assert PhotoStore(tmp_path / "photos").path(answered.prediction_id).exists() == kept


def test_a_full_disk_costs_only_the_photo(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "photos").write_text("in the way")
    recorder = Recorder(Settings(data_dir=tmp_path), engine)
    recorder.put(entry(photo=encode(picture())))
    assert not asyncio.run(recorder.keep_photo("a" * 32, encode(picture()), 320, 240))
    asyncio.run(recorder.close())
    assert (recorder.written, recorder.photos_dropped) == (1, 2)
