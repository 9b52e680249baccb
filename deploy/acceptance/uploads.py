"""Uploads made from one good photo: some that must be refused, each in its own way, and the photo turned."""

import struct
import zlib


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def turned(photo: bytes, orientation: int) -> bytes:
    """The photo with an EXIF orientation (2-8) of its own: another picture, and another length, for a batch to mix up.

    Args:
        photo: a JPEG.
    """
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"MM\x00*" + struct.pack(">IH", 8, 1) + entry + bytes(4 + orientation)
    segment = b"Exif\0\0" + tiff
    return photo[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + photo[2:]


def hostile(photo: bytes) -> dict[str, bytes]:
    """By what is wrong with them; `photo` is a JPEG of ordinary size."""
    return {
        "empty": b"",
        "text": b"this is no photo\n" * 50,
        "cut to a half": photo[: len(photo) // 2],
        "cut by a fiftieth": photo[: len(photo) * 49 // 50],
        "header alone": photo[:200],
        "a pixel": _png(1, 1, b"\0\0"),
        "a thread of pixels": _png(40, 4000, (b"\0" + bytes(40)) * 4000),
        "says 60,000 by 60,000": _png(60_000, 60_000, b"\0" * 1000),
        "GIF": b"GIF89a" + struct.pack("<HH", 64, 64) + bytes(100),
        "21 MB": photo + bytes(22_000_000),
    }
