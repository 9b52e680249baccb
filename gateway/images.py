"""Whether an upload is one usable image: limits from its header first, then a full decode.

One broken image fails the whole batch it is decoded in on a GPU, so what does not decode must not reach Triton; and a
decoder follows any size a header claims, so the header is judged before a decoder sees the file.
"""

import io
import warnings
from dataclasses import dataclass

import pi_heif
from PIL import Image, ImageOps

from gateway import formats, jpeg
from gateway.errors import ImageTooElongated, ImageTooLarge, ImageTooSmall, Problem, SeveralFrames, UndecodableImage
from gateway.release import Limits

pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
warnings.filterwarnings("ignore", module=r"PIL\.")  # remarks on broken metadata; the release's pixel limit rules here

# Peak bytes a pixel of Pillow's decoders, measured: canvases, copies between C and Python, the result.
_BYTES_PER_PIXEL = {"PNG": 4.0, "BMP": 4.0, "TIFF": 4.0, "WEBP": 18.5, "HEIF": 7.0, "AVIF": 9.5}
_DRAFT_SCALE = 8
_MOST_SCANS = 30  # photos have about ten; each further one costs a pass over all coefficients
_REENCODE_MOST_PIXELS = 24_000_000
_PNG_END = b"IEND\xaeB`\x82"  # Pillow is content without it, other decoders are not
_BROKEN = "The image data is broken or incomplete. Send the original file again."


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes say: Pillow's format name, size in pixels as stored, memory a full decode takes in bytes."""

    format: str
    width: int
    height: int
    decode_bytes: int


def read_header(data: bytes, limits: Limits) -> Header:
    """Judge a file by its header, without decoding.

    Args:
        data: the whole file.
        limits: the release's limits.

    Raises:
        UnsupportedFormat, ImageTooSmall, ImageTooLarge, ImageTooElongated, SeveralFrames, UndecodableImage
    """
    name = formats.sniff(data)
    try:
        if name == "PNG" and data.rfind(_PNG_END) < 0:
            raise UndecodableImage(_BROKEN)
        if name == "JPEG":
            header = _jpeg_header(data)
        elif name == "WEBP":
            header = _webp_header(data)
        else:
            header = _pillow_header(data, name)
    except Problem:
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(limits) from error
    except Exception as error:  # image parsers raise nearly anything on hostile bytes
        raise UndecodableImage(_BROKEN) from error
    _apply_limits(header, limits)
    return header


def check_pixels(data: bytes, header: Header) -> bytes:
    """Decode the whole image once; blocks, so run it in a thread.

    Returns:
        The bytes for Triton: `data` itself, or for HEIC and AVIF (which DALI does not read) an upright JPEG.

    Raises:
        UndecodableImage, SeveralFrames
    """
    try:
        with Image.open(io.BytesIO(data), formats=(header.format,)) as image:
            if header.format == "JPEG":
                # The smallest scale still reads every coded coefficient, at a third of the cost.
                image.draft(None, (image.width // _DRAFT_SCALE, image.height // _DRAFT_SCALE))
            else:
                _require_one_frame(image)
            image.load()
            return _as_jpeg(image) if header.format in ("HEIF", "AVIF") else data
    except Problem:
        raise
    except Exception as error:  # as above
        raise UndecodableImage(_BROKEN) from error


def _jpeg_header(data: bytes) -> Header:
    facts = jpeg.read_header(data)
    pixels = facts.width * facts.height
    memory = pixels * 4 / _DRAFT_SCALE**2
    if facts.several_scans:
        memory += pixels * facts.coefficients_per_pixel * 2
        if jpeg.count_scans(data, facts.first_scan, _MOST_SCANS + 1) > _MOST_SCANS:
            raise UndecodableImage(f"This JPEG has more than {_MOST_SCANS} scans. Save it again as an ordinary JPEG.")
    return Header("JPEG", facts.width, facts.height, round(memory))


def _webp_header(data: bytes) -> Header:
    """Pillow allocates the canvas when it opens a WebP, so size and animation flag are read here."""
    kind = data[12:16]
    if kind == b"VP8X":
        if data[20] & 0b10:
            raise SeveralFrames("This WebP is animated. Send one still image.")
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width = int.from_bytes(data[26:28], "little") & 0x3FFF
        height = int.from_bytes(data[28:30], "little") & 0x3FFF
    else:
        raise UndecodableImage(_BROKEN)
    return Header("WEBP", width, height, round(width * height * _BYTES_PER_PIXEL["WEBP"]))


def _pillow_header(data: bytes, name: str) -> Header:
    with Image.open(io.BytesIO(data), formats=(name,)) as image:
        _require_one_frame(image)
        per_pixel = _BYTES_PER_PIXEL[name]
        if name == "TIFF":  # one strip may hold the whole image, beside Pillow's copy
            bits = image.tag_v2.get(258, (8,))  # type: ignore[attr-defined]
            per_pixel += max(sum(bits), 8) / 8
        return Header(name, image.width, image.height, round(image.width * image.height * per_pixel))


def _require_one_frame(image: Image.Image) -> None:
    if getattr(image, "is_animated", False):
        raise SeveralFrames("This file holds more than one image. Send one still image.")


def _apply_limits(header: Header, limits: Limits) -> None:
    short, long = sorted((header.width, header.height))
    if short < limits.min_side:
        raise ImageTooSmall(
            f"The image is {header.width}x{header.height} pixels; each side needs at least {limits.min_side}."
        )
    if long > short * limits.max_aspect_ratio:
        raise ImageTooElongated(
            f"The image is {header.width}x{header.height} pixels; the longer side may be at most "
            f"{limits.max_aspect_ratio:g} times the shorter. Crop it to the leaf."
        )
    if header.width * header.height > limits.max_pixels:
        raise _too_many_pixels(limits)


def _too_many_pixels(limits: Limits) -> ImageTooLarge:
    return ImageTooLarge(
        f"The image has more than {limits.max_pixels / 1e6:.0f} million pixels. Make it smaller and send it again."
    )


def _as_jpeg(image: Image.Image) -> bytes:
    if image.width * image.height > _REENCODE_MOST_PIXELS:
        image = image.reduce(2)  # still several times any network's input
    if image.mode != "RGB":
        image = image.convert("RGB")
    ImageOps.exif_transpose(image, in_place=True)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, subsampling="4:4:4", exif=b"")
    return buffer.getvalue()
