"""Which way up a photo is: EXIF's orientation, the only note that DALI follows too (XMP has one that it does not read)."""

from contextlib import suppress

from PIL import ExifTags, Image

_TRANSPOSE = Image.Transpose
_METHODS = {
    2: _TRANSPOSE.FLIP_LEFT_RIGHT,
    3: _TRANSPOSE.ROTATE_180,
    4: _TRANSPOSE.FLIP_TOP_BOTTOM,
    5: _TRANSPOSE.TRANSPOSE,
    6: _TRANSPOSE.ROTATE_270,
    7: _TRANSPOSE.TRANSVERSE,
    8: _TRANSPOSE.ROTATE_90,
}
SWAPS_SIDES = (5, 6, 7, 8)


def orientation_of(image: Image.Image) -> int:
    """EXIF's orientation of a loaded image, 1 to 8; 1 where there is none, none that is readable, or Pillow obeyed it."""
    raw = image.info.get("exif")
    if not raw or image.format == "TIFF":  # which Pillow turns as it loads
        return 1
    exif = Image.Exif()
    with suppress(Exception):  # broken metadata does not make the picture unusable
        exif.load(raw)
        orientation = exif.get(ExifTags.Base.Orientation, 1)
        return orientation if orientation in _METHODS else 1
    return 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The image turned as EXIF's `orientation` demands; itself where nothing is to be done."""
    method = _METHODS.get(orientation)
    return image if method is None else image.transpose(method)
