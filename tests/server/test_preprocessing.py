"""What DALI serves against what training evaluates with: the same pixels."""

import io
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as grpc
from numpy.typing import NDArray
from pictures import DATA, encoded, needs, textured
from PIL import Image, ImageOps
from timm.models import get_pretrained_cfg
from triton_client import infer

from export.production import PRODUCTION_PAIR
from training.transforms import evaluation_transform

GREY_LEVELS = 1.0
"""Largest allowed mean difference, of 255."""

REAL_PHOTOS = [
    *sorted((DATA / "cassava" / "train_images").glob("*.jpg"))[:6],
    *sorted((DATA / "phone_photos").rglob("*.jpg"))[:4],
]


def differences(client: grpc.InferenceServerClient, photo: bytes) -> dict[str, float]:
    """Mean absolute difference in grey levels, by member."""
    names = {f"pixels_{step}": architecture for step, architecture in PRODUCTION_PAIR.items()}
    served = infer(client, "preprocess", photo, list(names))
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(photo))).convert("RGB")
    found = {}
    for name, architecture in names.items():
        cfg = get_pretrained_cfg(architecture).to_dict()
        expected: NDArray = evaluation_transform(cfg)(picture).numpy()
        assert served[name].shape == expected.shape == tuple(cfg["input_size"])
        levels = 255 * np.array(cfg["std"]).reshape(3, 1, 1)
        found[name] = float((np.abs(served[name] - expected) * levels).mean())
    return found


@needs("cassava")
@pytest.mark.parametrize("photo", REAL_PHOTOS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_real_photos_are_within_a_grey_level(client: grpc.InferenceServerClient, photo: Path) -> None:
    assert max(differences(client, photo.read_bytes()).values()) <= GREY_LEVELS


@pytest.mark.parametrize("size", [(800, 600), (501, 333), (333, 501), (97, 64), (799, 417), (385, 1000), (380, 380)])
def test_every_crop_starts_at_the_same_pixel(client: grpc.InferenceServerClient, size: tuple[int, int]) -> None:
    assert max(differences(client, encoded(textured(*size))).values()) <= GREY_LEVELS


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(client: grpc.InferenceServerClient, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = encoded(textured(320, 200), "JPEG", quality=95, exif=exif)
    assert max(differences(client, photo).values()) <= GREY_LEVELS


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {"quality": 90, "progressive": True}),
        ("JPEG", "RGB", {"quality": 90, "subsampling": 2}),
        ("JPEG", "L", {"quality": 90}),
        ("PNG", "L", {}),
        ("PNG", "P", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("BMP", "RGB", {}),
        ("TIFF", "RGB", {}),
    ],
    ids=lambda value: str(value),
)
def test_formats_decode_alike(
    client: grpc.InferenceServerClient, kind: str, mode: str, options: dict[str, object]
) -> None:
    photo = encoded(textured(300, 260).convert(mode), kind, **options)
    assert max(differences(client, photo).values()) <= GREY_LEVELS
