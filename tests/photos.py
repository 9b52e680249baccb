"""Images for the tests, made with Pillow or byte by byte."""

import io
import struct
import zlib

from PIL import Image


def picture(width: int = 320, height: int = 240) -> Image.Image:
    """A colourful picture that is not symmetric."""
    ramp = Image.linear_gradient("L").resize((width, height))
    return Image.merge("RGB", (ramp, ramp.transpose(Image.Transpose.ROTATE_180), Image.new("L", ramp.size, 90)))


def encode(image: Image.Image, name: str = "JPEG", **options: object) -> bytes:
    """The image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def photo(order: str = "") -> bytes:
    """A JPEG; `order` such as `sleep=0.5` is a marker for the null model."""
    return encode(picture(), comment=f"null-model:{order};".encode() if order else b"")


def zero_png(width: int, height: int) -> bytes:
    """A valid grey PNG of zeros, built without ever holding its pixels."""
    compressor = zlib.compressobj(1)
    row = bytes(1 + width)
    data = b"".join(compressor.compress(row) for _ in range(height)) + compressor.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def png_chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG, its checksum right."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def many_scans_jpeg(scans: int, width: int = 320, height: int = 240) -> bytes:
    """A progressive JPEG whose last scan is repeated: each repetition costs a decoder a pass over the image."""
    data = encode(picture(width, height), progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + data[-2:]


def crowded(kind: str, size: int) -> bytes:
    """A valid image of `size` bytes, nearly all of them structure that a reader has to walk through.

    Args:
        kind: one of `CROWDS`.
        size: rounded down.
    """
    format_name, unit, from_end = CROWDS[kind]
    data = encode(picture(64, 64), format_name)
    at = {"JPEG": 2, "PNG": 33}[format_name] if from_end is None else len(data) - from_end
    return data[:at] + unit * ((size - len(data)) // len(unit)) + data[at:]


CROWDS: dict[str, tuple[str, bytes, int | None]] = {
    "png-chunks": ("PNG", png_chunk(b"abCd", b""), None),
    "png-chunks-at-the-end": ("PNG", png_chunk(b"abCd", b""), 12),
    "png-empty-pixels": ("PNG", png_chunk(b"IDAT", b""), None),
    "jpeg-comments": ("JPEG", b"\xff\xfe\x00\x02", None),
    "jpeg-fill-bytes": ("JPEG", b"\xff", None),
    "jpeg-restart-markers": ("JPEG", b"\xff\xd0", None),
}
"""By kind: the format, what is repeated, and how far from the end; None is behind the signature and PNG's size."""


def crowded_tiff() -> bytes:
    """A small TIFF with as many tags as a directory can hold."""
    data = bytearray(encode(picture(64, 64), "TIFF"))
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    entries = data[at + 2 : at + 2 + 12 * count]
    more = b"".join(struct.pack("<HHII", 40_000 + n % 20_000, 1, 1, 0) for n in range(65_535 - count))
    struct.pack_into("<I", data, 4, len(data))
    return bytes(data) + struct.pack("<H", 65_535) + entries + more + bytes(4)
