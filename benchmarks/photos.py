"""The photos that are sent: a folder's, or drawn ones of the sizes that phones and messengers send."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

MIX = ((800, 600), (800, 600), (1280, 960), (800, 600), (1632, 1224), (800, 600), (1280, 960), (4000, 3000))
"""Width and height in pixels, in the order they are sent: half from messengers, one phone's original of 12 megapixels."""
SUFFIXES = (".jpg", ".jpeg")
EACH_BAD = 20


def leaf(size: tuple[int, int], seed: int = 7, progressive: bool = False, noise: float = 8, quality: int = 85) -> bytes:
    """The demo's leaf as a JPEG of that many pixels, with a camera's noise."""
    rng = np.random.default_rng(seed)
    with Image.open(Path(__file__).parents[1] / "demo/leaf.jpg") as picture:
        base = np.asarray(picture.convert("RGB").resize(size), np.float32)
    # every seed another picture: turned, and lighter or darker
    base = np.flip(base, axis=tuple(axis for axis in (0, 1) if seed >> axis & 1)) * rng.uniform(0.7, 1.2)
    pixels = np.clip(base + rng.normal(0, noise, base.shape), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, progressive=progressive)
    return buffer.getvalue()


def read(folder: Path | None, count: int) -> list[bytes]:
    """Up to `count` JPEGs of a folder, spread over its names; drawn ones in the sizes of `MIX` without a folder.

    Raises:
        SystemExit: the folder holds none.
    """
    if folder is None:
        return [leaf(MIX[number % len(MIX)], seed=number) for number in range(count)]
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise SystemExit(f"bench: {folder} holds no JPEG: give another folder of photos.")
    step = max(1, len(files) // count)
    return [file.read_bytes() for file in files[::step][:count]]


def broken(photo: bytes) -> bytes:
    """The photo as a transfer that broke off would leave it: its first tenth."""
    return photo[: max(200, len(photo) // 10)]


def with_bad_ones(photos: Sequence[bytes]) -> list[tuple[bytes, bool]]:
    """Photos in turn, each twentieth of them broken, and whether it is."""
    rounds = -(-EACH_BAD // len(photos)) if len(photos) < EACH_BAD else 1
    turn = [photo for _ in range(rounds) for photo in photos][:EACH_BAD]
    return [(broken(photo), True) if number == EACH_BAD - 1 else (photo, False) for number, photo in enumerate(turn)]


def sizes(photos: Sequence[bytes]) -> str:
    """How many photos of which sizes, for the reader."""
    counts: dict[tuple[int, int], int] = {}
    for photo in photos:
        with Image.open(io.BytesIO(photo)) as image:
            counts[image.size] = counts.get(image.size, 0) + 1
    parts = [f"{counts[size]} of {size[0]}x{size[1]}" for size in sorted(counts)]
    return f"{len(photos)} photos, {sum(map(len, photos)) / len(photos) / 1000:.0f} KB each on average: {', '.join(parts[:8])}"
