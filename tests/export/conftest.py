"""Two seeded members small enough to convert in seconds."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_networks import CLASSES

from export.leaf_drawing import draw_leaf
from export.seeded import write_seeded_member

CLASS_COUNT = 5
PHOTOS = 40


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


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two trained-model folders: a CNN with BatchNorm and a transformer, 96 and 64 px."""
    folder = tmp_path_factory.mktemp("members")
    leaves = [draw_leaf(seed, 160, 120) for seed in range(4)]
    for seed, (name, architecture) in enumerate({"small_cnn": "test_efficientnet", "small_vit": "test_vit"}.items()):
        write_seeded_member(folder / name, architecture, CLASSES, CLASS_COUNT, leaves)
        config = json.loads((folder / name / "config.json").read_text())
        config["pretrained_cfg"]["crop_mode"] = "center" if seed else "squash"
        (folder / name / "config.json").write_text(json.dumps(config))
        store_predictions(folder / name, seed)
    return folder
