"""The photo with the affected area marked, as a JPEG small enough for a weak connection."""

import base64
import io
from contextlib import suppress
from typing import cast

import pi_heif
from PIL import ExifTags, Image

pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "HEIF", "AVIF")
_MOST_BYTES = 384 * 1024 * 1024
_LIGHT_BYTES = 32 * 1024 * 1024
_BYTES_A_PIXEL = {"PNG": 5, "BMP": 5, "TIFF": 6, "WEBP": 17, "HEIF": 10, "AVIF": 10}  # measured
_STRIP = 64
_QUALITY = 85
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def marked(photo: bytes, overlay_png_base64: str, longest_side: int = 1280) -> bytes | None:
    """The photo upright and without metadata, the overlay laid over it; blocks, so run it in a thread.

    Args:
        photo: an image file that the gateway has answered.
        overlay_png_base64: `overlay_png` of its explanation.
        longest_side: of the picture in pixels, at most.

    Returns:
        A JPEG, or None where decoding would take more than 384 MiB or is not possible: then the words go without.
    """
    try:
        with Image.open(io.BytesIO(photo), formats=_FORMATS) as image:
            if _decoded_bytes(image) > _MOST_BYTES:
                return None
            picture = _small(image, longest_side)
        with Image.open(io.BytesIO(base64.b64decode(overlay_png_base64)), formats=("PNG",)) as overlay:
            area = overlay.convert("RGBA").resize(picture.size, Image.Resampling.BICUBIC)
    except Exception:  # image parsers raise nearly anything
        return None
    picture.paste(area, mask=area)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, exif=b"", icc_profile=b"", comment=b"")
    return buffer.getvalue()


def is_light(photo: bytes) -> bool:
    """Whether marking takes so little memory, 32 MiB, that many may be marked side by side; reads the header alone."""
    try:
        with Image.open(io.BytesIO(photo), formats=_FORMATS) as image:
            return _decoded_bytes(image) <= _LIGHT_BYTES
    except Exception:  # as above; then nothing is decoded
        return True


def _decoded_bytes(image: Image.Image) -> int:
    """Memory that decoding takes at most, by what the header says."""
    if image.format in ("JPEG", "MPO"):  # decoded in reduced size, but for a progressive one's coefficients
        return image.width * image.height * (6 if image.info.get("progressive") else 1)
    return image.width * image.height * _BYTES_A_PIXEL[str(image.format)]


def _small(image: Image.Image, longest_side: int) -> Image.Image:
    """The upright photo, RGB, its longer side at most `longest_side`."""
    scale = min(1.0, longest_side / max(image.size))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    image.draft("RGB", size)  # of a JPEG an eighth at best
    image.load()
    orientation = _orientation(image)
    factor = max(1, max(image.size) // (2 * longest_side))
    small = _reduced(image, factor)
    if small.size != size:
        small = small.resize(size, box=(0, 0, image.width / factor, image.height / factor))
    return small.transpose(_TURNS[orientation]) if orientation in _TURNS else small


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """Both sides divided by `factor`, RGB; strip by strip, so that it costs little memory beside the image."""
    width, height = image.size
    brightest = cast("tuple[float, float]", image.getextrema())[1] if image.mode in ("I", "F") else 65535.0
    small = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for top in range(0, height, _STRIP * factor):
        strip = _rgb(image.crop((0, top, width, min(top + _STRIP * factor, height))), brightest)
        small.paste(strip.reduce(factor), (0, top // factor))
    return small


def _rgb(image: Image.Image, brightest: float) -> Image.Image:
    """Eight bits a channel, transparent parts white; `brightest` becomes white where there are more bits."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        scale = 255 / max(brightest, 1e-9)
        image = image.convert("F").point(lambda level: level * scale).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        return white
    return image.convert("RGB")


def _orientation(image: Image.Image) -> int:
    """EXIF's, which the overlay follows too; 1 where it is missing or broken, and where Pillow has obeyed it."""
    raw = image.info.get("exif")
    if not raw or image.format == "TIFF":
        return 1
    with suppress(Exception):
        exif = Image.Exif()
        exif.load(raw)
        return int(exif.get(ExifTags.Base.Orientation, 1))
    return 1
