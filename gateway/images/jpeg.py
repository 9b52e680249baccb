"""Facts about a JPEG read from its markers, without decoding a pixel (ITU-T T.81, annex B)."""

import re
from dataclasses import dataclass

_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE_MARKERS = (0xC2, 0xC6, 0xCA, 0xCE)
_STANDALONE_MARKERS = (0x01, *range(0xD0, 0xD9))
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
# Inside entropy-coded data 0xFF is followed by 0x00, a restart marker or fill bytes; anything else ends the scan.
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_MOST_MARKERS = 1000  # fill bytes too; 20 MB of metadata in segments as large as can be are about 320


class BrokenHeaderError(ValueError):
    """The markers do not lead to a frame and its first scan, or there are far too many."""


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """`width`, `height` in pixels as stored; `first_scan` is the byte offset of the first scan's marker."""

    width: int
    height: int
    components: int
    progressive: bool
    coefficients_per_pixel: float
    scan_components: int
    first_scan: int

    @property
    def several_scans(self) -> bool:
        """Whether a decoder has to hold all coefficients until the last scan."""
        return self.progressive or self.scan_components < self.components


def read_header(data: bytes) -> JpegHeader:
    """Walk the markers of a whole JPEG file up to its first scan.

    Raises:
        BrokenHeaderError: the file ends before, a segment has an impossible length, or there are too many.
    """
    frame: tuple[int, int, int, bool, float] | None = None
    at = 2
    try:
        for _ in range(_MOST_MARKERS):
            if data[at] != 0xFF:
                raise BrokenHeaderError(f"no marker at byte {at}")
            marker = data[at + 1]
            if marker == 0xFF:  # fill byte
                at += 1
                continue
            if marker in _STANDALONE_MARKERS:
                at += 2
                continue
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            if marker == _END_OF_IMAGE or length < 2:
                raise BrokenHeaderError(f"marker {marker:#x} at byte {at}")
            if marker in _FRAME_MARKERS:
                frame = (*_read_frame(data, at + 4), marker in _PROGRESSIVE_MARKERS, _coefficients(data, at + 4))
            if marker == _START_OF_SCAN:
                break
            at += 2 + length
        else:
            raise BrokenHeaderError("too many markers before the first scan")
        if frame is None:
            raise BrokenHeaderError("a scan without a frame")
        width, height, components, progressive, coefficients = frame
        return JpegHeader(width, height, components, progressive, coefficients, data[at + 4], at)
    except (IndexError, ZeroDivisionError) as error:
        raise BrokenHeaderError("the file ends inside its header") from error


def count_scans(data: bytes, first_scan: int, at_most: int) -> int:
    """Number of scans of the image whose first scan's marker lies at byte `first_scan`, counted up to `at_most`.

    Stops at the image's end: gain maps, previews and videos that phones append are not counted.

    Raises:
        BrokenHeaderError: there is far more between the scans than tables.
    """
    count = 0
    at = first_scan
    for _ in range(_MOST_MARKERS):
        match = _SCAN_END.search(data, at)
        if match is None or data[match.end() - 1] == _END_OF_IMAGE:
            return count
        count += data[match.end() - 1] == _START_OF_SCAN
        if count == at_most:
            return count
        at = match.end() + int.from_bytes(data[match.end() : match.end() + 2], "big")
    raise BrokenHeaderError("too many markers between scans")


def _read_frame(data: bytes, at: int) -> tuple[int, int, int]:
    height = int.from_bytes(data[at + 1 : at + 3], "big")
    width = int.from_bytes(data[at + 3 : at + 5], "big")
    return width, height, data[at + 5]


def _coefficients(data: bytes, at: int) -> float:
    """Stored coefficients a pixel: 1.5 at 4:2:0, 3 at 4:4:4."""
    samplings = [data[at + 7 + 3 * component] for component in range(data[at + 5])]
    areas = [(sampling >> 4) * (sampling & 15) for sampling in samplings]
    widest = max((sampling >> 4 for sampling in samplings), default=0)
    tallest = max((sampling & 15 for sampling in samplings), default=0)
    return sum(areas) / (widest * tallest)
