"""Whether an upload is one usable image: a full decode, of which everything else is made too.

One broken image fails the whole batch it is decoded in on a GPU, so what does not decode must not reach Triton. The same
decode gives the preview that quality is judged on and, where the image is very large, the smaller one that Triton gets.
"""

import io
import warnings
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gateway.errors import Problem, UndecodableImage
from gateway.images.headers import BROKEN, Header, jpeg_scale, preview_divisor, require_one_frame
from gateway.images.reducing import WIDE_MODES, as_jpeg, grey, reduced
from gateway.images.turning import SWAPS_SIDES, orientation_of, upright

warnings.filterwarnings("ignore", module=r"PIL\.")  # remarks on broken metadata; the release's pixel limit rules here


@dataclass(frozen=True, slots=True)
class CheckedImage:
    """An upload that decodes.

    Attributes:
        encoded: an image file that DALI reads: the upload itself, or a JPEG made from it, upright and without metadata.
        width: pixels of the upload, upright, like `height`.
        preview: grey levels `[h, w]`, upright, the longer side 192 to 383 pixels where the upload has as many.
        queued_s: seconds that the check waited for memory and a thread.
    """

    encoded: bytes
    width: int
    height: int
    preview: NDArray[np.uint8] = field(repr=False)
    queued_s: float


def check_pixels(data: bytes, header: Header, queued_s: float = 0.0) -> CheckedImage:
    """Decode the whole image once; blocks, so run it in a thread.

    Raises:
        UndecodableImage, SeveralFrames
    """
    try:
        with Image.open(io.BytesIO(data), formats=(header.format,)) as image:
            if header.format == "JPEG":
                scale = jpeg_scale(header.width, header.height, header.reduction)
                # Luma is enough for the preview; the coefficients of chroma are read all the same.
                image.draft(None if header.reencoded else "L", (image.width // scale, image.height // scale))
                image.decodermaxblock = len(data)  # in one piece: the decoder goes back a little at the end of each
            else:
                require_one_frame(image)
            image.load()
            return _checked(data, header, image, queued_s)
    except Problem:
        raise
    except Exception as error:  # image parsers raise nearly anything on hostile bytes
        raise UndecodableImage(BROKEN) from error


def _checked(data: bytes, header: Header, image: Image.Image, queued_s: float) -> CheckedImage:
    orientation = orientation_of(image)
    encoded, shown = data, image
    if header.reencoded and image.mode not in WIDE_MODES:
        shown = reduced(image, 1 if header.format == "JPEG" else header.reduction)  # JPEGs come out of the decoder so
        encoded = as_jpeg(upright(shown, orientation))
    preview = upright(grey(shown, preview_divisor(*shown.size)), orientation)
    sides = image.size if header.format == "TIFF" else (header.width, header.height)
    width, height = reversed(sides) if orientation in SWAPS_SIDES else sides
    return CheckedImage(encoded, width, height, np.asarray(preview), queued_s)
