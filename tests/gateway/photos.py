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
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def many_scans_jpeg(scans: int, width: int = 320, height: int = 240) -> bytes:
    """A progressive JPEG whose last scan is repeated: each repetition costs a decoder a pass over the image."""
    data = encode(picture(width, height), progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + data[-2:]
