"""Which image format some bytes are, by their first bytes: neither file names nor MIME types are trusted."""

from gateway.errors import SeveralFrames, UnsupportedFormat

ACCEPTED = "JPEG, PNG, WebP, BMP, TIFF, HEIC or AVIF"

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
)
# Named only so that the answer can say what was sent.
_REFUSED_SIGNATURES = (
    (b"GIF8", "a GIF"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"8BPS", "a Photoshop file"),
    (b"\x00\x00\x01\x00", "an icon file"),
    (b"%PDF", "a PDF"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML file"),
)
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis"}
_SEQUENCE_BRANDS = {b"hevc", b"hevx", b"hevm", b"hevs", b"avis"}


def sniff(data: bytes) -> str:
    """Pillow's name of the image format.

    Args:
        data: the whole file.

    Returns:
        `JPEG`, `PNG`, `WEBP`, `BMP`, `TIFF`, `HEIF` or `AVIF`.

    Raises:
        UnsupportedFormat: anything else.
        SeveralFrames: an image sequence of the HEIF family.
    """
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _sniff_heif(data)
    for signature, description in _REFUSED_SIGNATURES:
        if data.startswith(signature):
            raise UnsupportedFormat(f"This is {description}. Send {ACCEPTED}.")
    raise UnsupportedFormat(f"These bytes are no image in a known format. Send {ACCEPTED}.")


def _sniff_heif(data: bytes) -> str:
    """The codec behind the `ftyp` box: its major brand first, then the compatible ones of generic containers."""
    major = data[8:12]
    end = min(int.from_bytes(data[:4], "big"), 256, len(data))
    brands = [major, *(data[at : at + 4] for at in range(16, end - 3, 4))]
    if major in _SEQUENCE_BRANDS or major == b"msf1":
        raise SeveralFrames("This is an image sequence. Send one still image.")
    for brand in brands:
        if brand in _HEIC_BRANDS:
            return "HEIF"
        if brand == b"avif":
            return "AVIF"
    raise UnsupportedFormat(f"This is a video or an unknown HEIF variant. Send {ACCEPTED}.")
