"""What an upload claims to be, judged before a decoder sees it: a decoder follows any size that a header names."""

import io
from dataclasses import dataclass

import pi_heif
from PIL import Image

from gateway.errors import ImageTooElongated, ImageTooLarge, ImageTooSmall, Problem, SeveralFrames, UndecodableImage
from gateway.images import formats, jpeg, png, tiff
from gateway.triton.release import Limits

pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)

BROKEN = "The image data is broken or incomplete. Send the original file again."

# Peak bytes a pixel of Pillow's decoders, measured: canvases, copies between C and Python, the result.
BYTES_PER_PIXEL = {"PNG": 4.0, "BMP": 4.0, "TIFF": 4.0, "WEBP": 18.5, "HEIF": 7.0, "AVIF": 9.5}
CANVAS_BYTES = 4.0
_REENCODED_BYTES = 9.5  # each pixel of a photo made anew: two canvases while it is turned upright, and its JPEG
_REENCODED_FORMATS = ("HEIF", "AVIF")
_FACTORS = (8, 4, 2)
# Sharpness is judged at 192 pixels. A JPEG of 800x600 at a quarter of its size has them and costs 3 % more to check than at
# an eighth, where sharp and blurred photos come too close; at a half it costs 6 % more and tells no better.
_PREVIEW_SIDE = 192
_MOST_SCANS = 30  # photos have about ten; each further one costs a pass over all coefficients
_QUICK_FORMATS = ("JPEG", "PNG", "WEBP")  # read here, in bounded time; the others by libraries
_QUICK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes say, and what follows from it.

    Attributes:
        format: Pillow's name.
        width: pixels as stored, like `height`.
        reduction: by how much both sides are divided before Triton sees the image; 1 leaves them.
        decode_bytes: peak memory of the full decode and of what is made of it.
    """

    format: str
    width: int
    height: int
    reduction: int
    decode_bytes: int

    @property
    def reencoded(self) -> bool:
        """Whether Triton gets a JPEG made here instead of the upload."""
        return self.reduction > 1 or self.format in _REENCODED_FORMATS


def is_quick(data: bytes) -> bool:
    """Whether `read_header` takes well below a millisecond, unless somebody means harm: then some milliseconds.

    Raises:
        UnsupportedFormat, SeveralFrames
    """
    return len(data) <= _QUICK_BYTES and formats.sniff(data) in _QUICK_FORMATS


def read_header(data: bytes, limits: Limits, most_pixels: int) -> Header:
    """Judge a file by its header, without decoding.

    Args:
        data: the whole file.
        limits: the release's limits.
        most_pixels: larger images are to be reduced.

    Raises:
        UnsupportedFormat, ImageTooSmall, ImageTooLarge, ImageTooElongated, SeveralFrames, UndecodableImage
    """
    try:
        name, width, height, coded_bytes = measure(data)
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(limits) from error
    _apply_limits(width, height, limits)
    factor = _reduction(width, height, limits.reduced_side, most_pixels)
    return Header(name, width, height, factor, _peak_bytes(name, width, height, factor, coded_bytes))


def measure(data: bytes) -> tuple[str, int, int, float]:
    """Pillow's name of the format, width and height as stored, and the bytes that a decode holds beside its pixels.

    Raises:
        UnsupportedFormat, SeveralFrames, UndecodableImage
        PIL.Image.DecompressionBombError
    """
    name = formats.sniff(data)
    try:
        return name, *_SIZE_READERS.get(name, _pillow_size)(data, name)
    except (Problem, Image.DecompressionBombError):
        raise
    except Exception as error:  # image parsers raise nearly anything on hostile bytes
        raise UndecodableImage(BROKEN) from error


def jpeg_scale(width: int, height: int, reduction: int) -> int:
    """The scale 1/n at which a JPEG is decoded: as small as the reduced image or the preview allows.

    Any scale reads every coded coefficient, so damage is found at each alike; the smaller, the cheaper.
    """
    if reduction > 1:
        return reduction
    return next((scale for scale in _FACTORS if max(width, height) >= _PREVIEW_SIDE * scale), 1)


def preview_divisor(width: int, height: int) -> int:
    """By what both sides are divided so that the longer one of the preview has 192 to 383 pixels, or all it had."""
    return max(1, max(width, height) // _PREVIEW_SIDE)


def most_pixels_by_format(memory_bytes: int, limits: Limits) -> dict[str, int]:
    """Pixels that an image of each format may have: the release's limit, or less where memory ends before.

    Args:
        memory_bytes: what one decode may use.
        limits: the release's limits.

    Returns:
        By Pillow's format name; a TIFF in one strip, and a progressive JPEG without chroma subsampling, may have fewer.
    """
    by_memory = {name: int(memory_bytes / per_pixel) for name, per_pixel in BYTES_PER_PIXEL.items()}
    return {name: min(limits.max_pixels, by_memory.get(name, limits.max_pixels)) for name in ("JPEG", *by_memory)}


def _reduction(width: int, height: int, side: int, most_pixels: int) -> int:
    """The largest factor that leaves the shorter side `side` pixels; more than that where pixels are still too many."""
    if width * height <= most_pixels:
        return 1
    detailed = next((factor for factor in _FACTORS if min(width, height) >= side * factor), 1)
    needed = next((factor for factor in reversed(_FACTORS) if width * height <= most_pixels * factor**2), _FACTORS[0])
    return max(detailed, needed)


def _peak_bytes(name: str, width: int, height: int, factor: int, coded_bytes: float) -> int:
    """Memory of the decode, or of the image made anew afterwards, whichever is more."""
    pixels = width * height
    if name == "JPEG":
        decode, canvas = coded_bytes, pixels * CANVAS_BYTES / jpeg_scale(width, height, factor) ** 2
        return round(max(decode + canvas, pixels / factor**2 * _REENCODED_BYTES if factor > 1 else 0))
    decode = pixels * BYTES_PER_PIXEL[name] + coded_bytes
    made = pixels / factor**2 * _REENCODED_BYTES if factor > 1 or name in _REENCODED_FORMATS else 0
    return round(max(decode, (pixels * CANVAS_BYTES if factor > 1 else 0) + made))


def _jpeg_size(data: bytes, name: str) -> tuple[int, int, float]:
    """Width, height, and the bytes of all coefficients where a decoder has to hold them until the last scan."""
    facts = jpeg.read_header(data)
    if not facts.several_scans:
        return facts.width, facts.height, 0
    if jpeg.count_scans(data, facts.first_scan, _MOST_SCANS + 1) > _MOST_SCANS:
        raise UndecodableImage(f"This {name} has more than {_MOST_SCANS} scans. Save it again as an ordinary {name}.")
    return facts.width, facts.height, facts.width * facts.height * facts.coefficients_per_pixel * 2


def _png_size(data: bytes, name: str) -> tuple[int, int, float]:
    facts = png.read_header(data)
    if facts.animated:
        raise SeveralFrames(f"This {name} is animated. Send one still image.")
    return facts.width, facts.height, 0


def _webp_size(data: bytes, name: str) -> tuple[int, int, float]:
    """Pillow allocates the canvas when it opens a WebP, so size and animation flag are read here."""
    kind = data[12:16]
    if kind == b"VP8X":
        if data[20] & 0b10:
            raise SeveralFrames(f"This {name} is animated. Send one still image.")
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1, 0
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 0
    if kind == b"VP8 ":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF, 0
    raise UndecodableImage(BROKEN)


def _pillow_size(data: bytes, name: str) -> tuple[int, int, float]:
    with Image.open(io.BytesIO(data), formats=(name,)) as image:
        require_one_frame(image)
        return image.width, image.height, 0


def _tiff_size(data: bytes, name: str) -> tuple[int, int, float]:
    """Width, height, and the bytes of the strip that libtiff holds, or of the copy in which Pillow turns it."""
    tiff.require_short_directory(data)
    width, height, _ = _pillow_size(data, name)
    facts = tiff.read_header(data, width, height)
    return width, height, max(facts.strip_bytes, width * height * CANVAS_BYTES if facts.turned else 0)


_SIZE_READERS = {"JPEG": _jpeg_size, "PNG": _png_size, "WEBP": _webp_size, "TIFF": _tiff_size}


def require_one_frame(image: Image.Image) -> None:
    """Refuse animations and several pages.

    Raises:
        SeveralFrames
    """
    if getattr(image, "is_animated", False):
        raise SeveralFrames("This file holds more than one image. Send one still image.")


def _apply_limits(width: int, height: int, limits: Limits) -> None:
    short, long = sorted((width, height))
    if short < limits.min_side:
        raise ImageTooSmall(f"The image is {width}x{height} pixels; each side needs at least {limits.min_side}.")
    if long > short * limits.max_aspect_ratio:
        raise ImageTooElongated(
            f"The image is {width}x{height} pixels; the longer side may be at most "
            f"{limits.max_aspect_ratio:g} times the shorter. Crop it to the leaf."
        )
    if width * height > limits.max_pixels:
        raise _too_many_pixels(limits)


def _too_many_pixels(limits: Limits) -> ImageTooLarge:
    return ImageTooLarge(
        f"The image has more than {limits.max_pixels / 1e6:.0f} million pixels. Make it smaller and send it again."
    )
