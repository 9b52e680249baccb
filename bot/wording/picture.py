"""The photo with the affected area marked, as a JPEG small enough for a weak connection."""

import base64
import io
from contextlib import suppress

import pi_heif
from PIL import ExifTags, Image

pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "HEIF", "AVIF")
_MOST_BYTES = 384 * 1024 * 1024
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


def _decoded_bytes(image: Image.Image) -> int:
    """Memory that decoding takes at most, by what the header says."""
    width, height = image.size
    if image.format == "JPEG" and not image.info.get("progressive"):
        return 0  # decoded in reduced size
    return width * height * (8 if image.format in ("HEIF", "AVIF", "WEBP") else 6)


def _small(image: Image.Image, longest_side: int) -> Image.Image:
    """The upright photo, RGB, its longer side at most `longest_side`."""
    scale = min(1.0, longest_side / max(image.size))
    image.draft("RGB", (round(image.width * scale), round(image.height * scale)))  # JPEG: decodes an eighth at best
    image.load()
    orientation = _orientation(image)
    factor = max(1, max(image.size) // (2 * longest_side))
    small = _rgb(image.reduce(factor) if factor > 1 else image)
    scale = min(1.0, longest_side / max(small.size))
    if scale < 1:
        small = small.resize((max(1, round(small.width * scale)), max(1, round(small.height * scale))))
    return small.transpose(_TURNS[orientation]) if orientation in _TURNS else small


def _rgb(image: Image.Image) -> Image.Image:
    """Eight bits a channel, transparent parts white."""
    if image.mode.startswith("I;16"):
        image = image.convert("I").point(lambda level: level * (1 / 256)).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        return white
    return image.copy() if image.mode == "RGB" else image.convert("RGB")


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
