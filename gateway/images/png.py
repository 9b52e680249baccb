"""Facts about a PNG read from its chunks, without decoding a pixel (PNG, third edition, section 5)."""

import struct
from dataclasses import dataclass

_CHUNKS_AT = 8
_CHUNK_BYTES = 12  # of a chunk without data: length, name, checksum
_SIZE_CHUNK, _DATA, _ANIMATION, _END = b"IHDR", b"IDAT", b"acTL", b"IEND"
# Decoders look at each chunk; writers make pixels into chunks of some kilobytes and add a few dozen others.
_MOST_CHUNKS = 1000
_LEAST_DATA_BYTES = 1024


class BrokenChunksError(ValueError):
    """The chunks do not lead from the size to the end, or there are far too many."""


@dataclass(frozen=True, slots=True)
class PngHeader:
    """`width`, `height` in pixels; `animated` where more than one frame is announced."""

    width: int
    height: int
    animated: bool


def read_header(data: bytes) -> PngHeader:
    """Walk the chunks of a whole PNG file up to its end, which Pillow could do without and other decoders could not.

    Raises:
        BrokenChunksError
    """
    animated = False
    pixels_left, others_left = _MOST_CHUNKS + len(data) // _LEAST_DATA_BYTES, _MOST_CHUNKS
    at, kind = _CHUNKS_AT, b""
    try:
        if data[at + 4 : at + 8] != _SIZE_CHUNK:
            raise BrokenChunksError("the size is missing")
        width, height = struct.unpack_from(">II", data, at + 8)
        while kind != _END:
            length, kind = struct.unpack_from(">I4s", data, at)
            if kind == _DATA:
                pixels_left -= 1
            else:
                others_left -= 1
            if pixels_left < 0 or others_left < 0:
                raise BrokenChunksError("too many chunks")
            if kind == _ANIMATION and struct.unpack_from(">I", data, at + 8)[0] > 1:
                animated = True
                break
            at += _CHUNK_BYTES + length
    except struct.error as error:
        raise BrokenChunksError("the file ends before its last chunk") from error
    if at > len(data):
        raise BrokenChunksError("the last chunk is cut off")
    return PngHeader(width, height, animated)
