"""A seeded stream of images made to hurt: mutated, lying about their size, swollen, nested, and several things at once."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from photos import CROWDS, crowded, crowded_tiff, encode, picture, png_chunk, zero_png
from PIL import Image, PngImagePlugin
from processes import ROOT

REAL = ROOT.parent / "shared" / "data"
_HUGE = (0, 1, 31, 4_097, 16_383, 30_000, 65_535, 0x7FFFFFFF, 0xFFFFFFFF)


def originals() -> list[bytes]:
    """Files of every accepted format, and of some that are not; real ones too where they are on this machine."""
    image = picture(640, 480)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a leaf"
    files = [
        encode(image, quality=90, exif=exif.tobytes()),
        encode(image, progressive=True),
        encode(image.convert("CMYK")),
        encode(image.convert("L"), restart_marker_blocks=4),
        encode(image, "PNG"),
        encode(image.convert("P"), "PNG", optimize=True),
        encode(image.convert("RGBA"), "PNG"),
        encode(image.convert("L").convert("I;16"), "PNG"),
        encode(image, "WEBP"),
        encode(image, "WEBP", lossless=True, exif=exif.tobytes()),
        encode(image, "BMP"),
        encode(image, "TIFF"),
        encode(image, "TIFF", compression="tiff_lzw"),
        encode(image, "TIFF", compression="jpeg"),
        encode(image, "TIFF", compression="tiff_deflate"),
        encode(image, "AVIF", speed=10),
        encode(image, "GIF"),
        encode(image, "JPEG2000"),
        encode(image.resize((64, 64)), "ICO"),
        encode(image, "WEBP", save_all=True, append_images=[image.rotate(90)]),
    ]
    files += [path.read_bytes() for path in [ROOT / "demo" / "leaf.jpg", *_real_files()]]
    return files


def _real_files() -> list[Path]:
    """A few of each real collection, none above 3 MB, so that thousands of mutations stay affordable."""
    chosen: list[Path] = []
    for folder in ("odd_images", "phone_photos", "cassava", "not_a_leaf"):
        suffixes = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".avif", ".tif", ".tiff", ".bmp"}
        files = [p for p in sorted((REAL / folder).rglob("*")) if p.suffix.lower() in suffixes and p.is_file()]
        chosen += [p for p in files[:400:20] if p.stat().st_size < 3_000_000][:8]
    return chosen


def mutated_images(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """`count` pairs of the mutation's name and a file; the same for the same seed and the same originals."""
    chance = random.Random(seed)
    files = originals()
    for number in range(count):
        mutation = MUTATIONS[number % len(MUTATIONS)]
        yield f"{number}-{mutation.__name__.strip('_')}", mutation(chance, files)


def _bit_flips(chance: random.Random, files: list[bytes]) -> bytes:
    data = bytearray(chance.choice(files))
    for _ in range(chance.choice((1, 3, 10, 100, 1000))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _head_flips(chance: random.Random, files: list[bytes]) -> bytes:
    """Where the structure is, rather than the pixels; the signature stays."""
    data = bytearray(chance.choice(files))
    for _ in range(chance.randint(1, 12)):
        data[chance.randrange(12, min(len(data), 700))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return bytes(data)


def _truncation(chance: random.Random, files: list[bytes]) -> bytes:
    data = chance.choice(files)
    return data[: chance.choice((chance.randrange(1, 64), chance.randrange(1, len(data)), len(data) - 1))]


def _swapped_header(chance: random.Random, files: list[bytes]) -> bytes:
    first, second = chance.sample(files, 2)
    cut = chance.choice((4, 12, 16, 32, 64, 512))
    return first[:cut] + second[cut:]


def _splice(chance: random.Random, files: list[bytes]) -> bytes:
    first, second = chance.sample(files, 2)
    return first[: chance.randrange(1, len(first))] + second[chance.randrange(len(second)) :]


def _repetition(chance: random.Random, files: list[bytes]) -> bytes:
    data = chance.choice(files)
    start = chance.randrange(len(data))
    piece = data[start : start + chance.randrange(1, 5000)]
    return data[:start] + piece * chance.randint(2, 50) + data[start:]


def _erasure(chance: random.Random, files: list[bytes]) -> bytes:
    data = bytearray(chance.choice(files))
    start = chance.randrange(len(data))
    size = min(chance.choice((16, 256, 4096)), len(data) - start)
    data[start : start + size] = chance.choice((bytes(size), b"\xff" * size, chance.randbytes(size)))
    return bytes(data)


def _huge_png(chance: random.Random, _files: list[bytes]) -> bytes:
    """Any size in the header, its checksum right, hardly any data."""
    width, height = chance.choice(_HUGE), chance.choice(_HUGE)
    depth, colour = chance.choice(((8, 2), (16, 6), (1, 0), (8, 3), (16, 2), (3, 7)))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, chance.choice((0, 1)))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(bytes(9000)))


def _huge_jpeg(chance: random.Random, _files: list[bytes]) -> bytes:
    """The size in the frame header replaced; the data is that of a small photo."""
    data = bytearray(encode(picture(320, 240), progressive=chance.random() < 0.5))
    frame = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    struct.pack_into(">HH", data, frame + 5, *(chance.choice((1, 4_097, 8_000, 16_383, 65_500, 65_535)) for _ in "hw"))
    return bytes(data)


def _huge_other(chance: random.Random, _files: list[bytes]) -> bytes:
    """BMP, WebP and TIFF with another size."""
    kind = chance.choice(("BMP", "WEBP", "TIFF"))
    data = bytearray(encode(picture(320, 240), kind))
    width, height = chance.choice(_HUGE), chance.choice(_HUGE)
    if kind == "BMP":
        struct.pack_into("<II", data, 18, width, height)
    elif kind == "WEBP":
        struct.pack_into("<HH", data, 26, width & 0x3FFF, height & 0x3FFF)
    else:
        for tag, value in ((256, width), (257, height)):
            at = data.find(struct.pack("<H", tag))
            struct.pack_into("<I", data, at + 8, value)
    return bytes(data)


def _bomb(chance: random.Random, _files: list[bytes]) -> bytes:
    """Small files of many pixels, on both sides of what is accepted."""
    side = chance.choice((3_000, 6_000, 8_000, 9_000, 14_000))
    kind = chance.choice(("png", "jpeg", "webp", "tiff", "scans"))
    if kind == "png":
        return zero_png(side, side)
    flat = Image.new("L", (min(side, 8_000), min(side, 8_000)), 77)
    if kind == "jpeg":
        return encode(flat, quality=30, progressive=chance.random() < 0.5)
    if kind == "webp":
        return encode(flat.resize((3_000, 3_000)), "WEBP", lossless=True, method=0)
    if kind == "tiff":
        return encode(flat, "TIFF", compression="tiff_deflate")
    data = encode(picture(1200, 900), progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * chance.choice((5, 60, 400)) + data[-2:]


def _metadata_bomb(chance: random.Random, _files: list[bytes]) -> bytes:
    """Much that is not pixels: compressed text and profiles, endless segments, directories that point at themselves."""
    kind = chance.choice(("ztxt", "iccp", "segments", "exif", "exif-loop", "xmp", "comment"))
    image = picture(320, 240)
    if kind == "ztxt":
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", "a" * 30_000_000, zip=True)
        return encode(image, "PNG", pnginfo=text)
    if kind == "iccp":
        return encode(image, "PNG", icc_profile=bytes(20_000_000))
    if kind == "exif-loop":
        loop = b"II*\x00" + struct.pack("<IHHHIII", 8, 1, 0x8769, 4, 1, 8, 8)
        return _with_segments([b"Exif\x00\x00" + loop])
    if kind == "exif":
        entries = b"".join(struct.pack("<HHII", 0x010E + n, 2, 0x7FFFFFFF, n) for n in range(4000))
        return _with_segments([b"Exif\x00\x00II*\x00" + struct.pack("<IH", 8, 4000) + entries])
    if kind == "segments":
        return _with_segments([chance.randbytes(60_000)] * 150)
    if kind == "xmp":
        return _with_segments([b"http://ns.adobe.com/xap/1.0/\x00" + b"<a>" * 20_000] * 20)
    return encode(image, comment=chance.randbytes(65_000))


def _with_segments(contents: list[bytes]) -> bytes:
    data = encode(picture(320, 240))
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part for part in contents)
    return data[:2] + segments + data[2:]


def _crowd(chance: random.Random, _files: list[bytes]) -> bytes:
    """Millions of chunks, segments or markers where others have a dozen."""
    kind = chance.choice((*CROWDS, "tiff"))
    return crowded_tiff() if kind == "tiff" else crowded(kind, chance.choice((100_000, 2_000_000, 20_000_000)))


def _polyglot(chance: random.Random, files: list[bytes]) -> bytes:
    """An image that is something else as well."""
    image = chance.choice(files)
    archive = b"PK\x03\x04" + bytes(26) + b"PK\x05\x06" + bytes(18)
    page = b"<html><script>alert(1)</script></html>"
    other = chance.choice(
        (archive, page, b"%PDF-1.7\n", b"#!/bin/sh\n", b"MZ" + bytes(60), b"%!PS\n", chance.choice(files))
    )
    return chance.choice((other + image, image + other, image[:20] + other + image[20:]))


def _nested(chance: random.Random, files: list[bytes]) -> bytes:
    """A file in the clothes of a container."""
    inner = chance.choice(files)[:60_000]
    kind = chance.choice(("tiff", "ico", "heic", "avif", "svg", "riff", "mpo", "png"))
    if kind == "tiff":
        size = len(inner)
        tags = [(256, 3, 320), (257, 3, 240), (259, 3, chance.choice((6, 7, 34712))), (262, 3, 6), (273, 4, 122)]
        tags += [(277, 3, 3), (278, 3, 240), (279, 4, size), (330, 4, 8)]
        entries = b"".join(struct.pack("<HHII", tag, form, 1, value) for tag, form, value in tags)
        return b"II*\x00" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 8) + inner
    if kind == "ico":
        return struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(inner), 22) + inner
    if kind in ("heic", "avif"):
        brand = kind.encode()
        boxes = struct.pack(">I4s4sI4s", 20, b"ftyp", brand, 0, brand)
        for name in (b"meta", b"iprp", b"mdat"):
            boxes += struct.pack(">I4s", chance.choice((0, 1, 8, len(inner) + 8, 0xFFFFFFFF)), name) + inner[:5000]
        return boxes
    if kind == "svg":
        return b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>" + inner
    if kind == "riff":
        return (
            b"RIFF" + struct.pack("<I", len(inner)) + b"WEBPVP8X" + struct.pack("<I", 10) + chance.randbytes(10) + inner
        )
    if kind == "mpo":
        return inner + inner
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
        + png_chunk(b"IDAT", inner)
    )


def _noise(chance: random.Random, files: list[bytes]) -> bytes:
    """Next to nothing, or nothing but chance behind a signature."""
    signature = chance.choice(files)[: chance.choice((1, 4, 12, 30))]
    return signature + chance.randbytes(chance.choice((0, 1, 100, 100_000)))


MUTATIONS: tuple[Callable[[random.Random, list[bytes]], bytes], ...] = (
    _bit_flips,
    _head_flips,
    _truncation,
    _swapped_header,
    _splice,
    _repetition,
    _erasure,
    _huge_png,
    _huge_jpeg,
    _huge_other,
    _bomb,
    _metadata_bomb,
    _crowd,
    _polyglot,
    _nested,
    _noise,
)


def as_form(data: bytes, chance: random.Random) -> tuple[bytes, str]:
    """The file in a multipart form, and the form's content type; now and then with a form that is broken too."""
    boundary = chance.choice(("x", "b" * 70, "----WebKitFormBoundary7MA4YWxk"))
    out = io.BytesIO()
    name = chance.choice(("leaf.jpg", "../../etc/passwd", "a" * 3000, "\u00e9\u0000.png"))
    out.write(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode())
    out.write(data)
    out.write(f"\r\n--{boundary}{chance.choice(('--', '--', '--', ''))}\r\n".encode())
    return out.getvalue(), f"multipart/form-data; boundary={boundary}"
