"""Facts about a TIFF read from its first directory, without decoding a pixel (TIFF 6.0, section 2)."""

import struct
from dataclasses import dataclass

_ORIENTATION = 274
_BITS_PER_SAMPLE, _SAMPLES, _ROWS_PER_STRIP = 258, 277, 278
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_WANTED = (_ORIENTATION, _BITS_PER_SAMPLE, _SAMPLES, _ROWS_PER_STRIP, _TILE_WIDTH, _TILE_LENGTH)
_LETTERS = {1: "B", 3: "H", 4: "I"}  # BYTE, SHORT and LONG
_MOST_VALUES = 16  # of BitsPerSample, one a channel
_ENTRY_BYTES = 12
_MOST_ENTRIES = 1000  # photos have about thirty; libraries look at each


class BrokenDirectoryError(ValueError):
    """The directory cannot be read."""


@dataclass(frozen=True, slots=True)
class TiffHeader:
    """`strip_bytes`: of one decoded strip or tile, which libtiff holds as a whole; often the image is one strip.

    `turned`: whether the image is to be turned to stand upright, for which Pillow makes a copy.
    """

    strip_bytes: int
    turned: bool


def require_short_directory(data: bytes) -> None:
    """Refuse a file whose first directory would keep a library busy.

    Raises:
        BrokenDirectoryError
    """
    try:
        _, count = _start_and_count(data, _order(data))
    except struct.error as error:
        raise BrokenDirectoryError("no readable directory") from error
    if count > _MOST_ENTRIES:
        raise BrokenDirectoryError(f"{count} entries")


def read_header(data: bytes, width: int, height: int) -> TiffHeader:
    """What decides how much memory a decode takes.

    Where a tag is there twice the larger value counts, since decoders differ in which one they take.

    Args:
        data: the whole file.
        width: pixels as stored, like `height`.

    Raises:
        BrokenDirectoryError
    """
    try:
        tags = _directory(data, _order(data))
    except (struct.error, KeyError) as error:
        raise BrokenDirectoryError("no readable directory") from error
    samples = max(tags[_SAMPLES], default=(1,))[0]
    bits = max((max(sum(depths), max(depths) * samples) for depths in tags[_BITS_PER_SAMPLE]), default=samples)
    if tags[_TILE_WIDTH] and tags[_TILE_LENGTH]:
        pixels = max(tags[_TILE_WIDTH])[0] * max(tags[_TILE_LENGTH])[0]
    else:
        pixels = width * min(height, max(tags[_ROWS_PER_STRIP], default=(height,))[0])
    return TiffHeader(pixels * max(bits, 8) // 8, turned=any(value != (1,) for value in tags[_ORIENTATION]))


def _order(data: bytes) -> str:
    return "<" if data.startswith(b"II") else ">"


def _start_and_count(data: bytes, order: str) -> tuple[int, int]:
    """Byte offset and number of entries of the first directory."""
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    return start, count


def _directory(data: bytes, order: str) -> dict[int, list[tuple[int, ...]]]:
    """All values of the wanted tags, one tuple for each time that the tag is there."""
    start, count = _start_and_count(data, order)
    tags: dict[int, list[tuple[int, ...]]] = {tag: [] for tag in _WANTED}
    for at in range(start + 2, start + 2 + count * _ENTRY_BYTES, _ENTRY_BYTES):
        tag, kind, length = struct.unpack_from(f"{order}HHI", data, at)
        if tag in tags:
            if not 0 < length <= _MOST_VALUES:
                raise BrokenDirectoryError(f"tag {tag} has {length} values")
            values = f"{order}{length}{_LETTERS[kind]}"
            (place,) = struct.unpack_from(f"{order}I", data, at + 8) if struct.calcsize(values) > 4 else (at + 8,)
            tags[tag].append(struct.unpack_from(values, data, place))
    return tags
