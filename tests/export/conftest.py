"""Two seeded members small enough to convert in seconds, and releases of them that many tests look at."""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import textured
from PIL import Image
from processes import TRITON_PYTHON
from tiny_networks import CLASSES

from export.__main__ import main
from export.leaf_drawing import draw_leaf
from export.seeded import write_seeded_member

CLASS_COUNT = 5
PHOTOS = 40
PRIVATE = b"farm of somebody"
"""What the photos of `released` say beside their pixels."""


def store_predictions(folder: Path, seed: int, split_hash: str = "abc") -> None:
    """Logits as training stores them: right more often than not."""
    for part in ("validation", "test"):
        rng = np.random.default_rng(seed)
        labels = np.random.default_rng(99).integers(0, CLASS_COUNT, PHOTOS)
        logits = rng.normal(size=(PHOTOS, CLASS_COUNT)) + 2 * np.eye(CLASS_COUNT)[labels]
        np.savez(
            folder / f"{part}.npz",
            logits=logits.astype(np.float32),
            labels=labels.astype(np.int64),
            image_ids=np.array([f"{i}.jpg" for i in range(PHOTOS)]),
            split_hash=np.array(split_hash),
        )


def once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that all workers share: made by the first that asks for it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            aside = folder.with_suffix(f".{os.getpid()}")
            aside.mkdir()
            make(aside)
            aside.rename(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Networks as small as these gain nothing from a second, and waiting for it takes the core of the other worker."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two trained-model folders: a CNN with BatchNorm and a transformer, 160 px. Not to be changed."""
    return once(tmp_path_factory, "members", write_members)


def write_members(folder: Path) -> None:
    """Both, seeded."""
    leaves = [draw_leaf(seed, 160, 120) for seed in range(4)]
    for seed, (name, architecture) in enumerate({"small_cnn": "test_efficientnet", "small_vit": "test_vit"}.items()):
        write_seeded_member(folder / name, architecture, CLASSES, CLASS_COUNT, leaves)
        config = json.loads((folder / name / "config.json").read_text())
        config["pretrained_cfg"]["crop_mode"] = "center" if seed else "squash"
        (folder / name / "config.json").write_text(json.dumps(config))
        store_predictions(folder / name, seed)


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Path:
    """A repository with two releases of both members, the first proved by a real Triton. Not to be changed.

    Both with half precision. 1: four photos as probes that say who took them. 2: weights as float16, no photo named.
    """

    def make(folder: Path) -> None:
        members = ["--members", str(trained / "small_cnn"), str(trained / "small_vit")]
        given = ["release", *members, "--repository", str(folder), "--latency-seconds", "0.1"]
        photos = [str(private_photo(folder.with_suffix(f".{seed}.jpg"), seed)) for seed in range(4)]
        given += ["--half-precision", "--gate", "half_precision=0.03"]
        asked = ["--check-photos", "4", "--probes", *photos, "--triton-python", str(TRITON_PYTHON)]
        assert main([*given, *asked]) == 0
        assert main([*given, "--check-photos", "2", "--float16-weights"]) == 0

    return once(tmp_path_factory, "released", make)


def private_photo(file: Path, seed: int) -> Path:
    """A photo with a comment, a colour profile and EXIF."""
    exif = Image.Exif()
    exif[0x010E] = PRIVATE.decode()
    textured(500, 400, seed=seed).save(file, quality=95, exif=exif, comment=PRIVATE, icc_profile=PRIVATE)
    assert PRIVATE in file.read_bytes()
    return file
