"""Generated photos in the Kaggle layout: coloured noise, one tint per class: learnable by a tiny network in a second."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

TINTS = [(200, 60, 60), (60, 200, 60), (60, 60, 200), (200, 200, 60), (60, 200, 200)]
NAMES = [
    "Cassava Bacterial Blight (CBB)",
    "Cassava Brown Streak Disease (CBSD)",
    "Cassava Green Mottle (CGM)",
    "Cassava Mosaic Disease (CMD)",
    "Healthy",
]
TINY = """
dataset: {validation_fraction: 0.2, test_fraction: 0.25, cache_size: 40, origin: generated, licence: none needed}
model: {architecture: test_resnet, input_size: 32, interpolation: bilinear, crop_pct: 0.9, weights: float16}
augmentation: {clean_epochs: 0, mix_probability: 1.0}
schedule: {epochs: 2, batch_size: 16, warmup_epochs: 0.5}
hardware: {accelerator: cpu, threads: 1, channels_last: true}
tracking: {mlflow: 'off'}
evaluation: {attributions: 1, worst: 2}
gate: {accuracy_micro: 0, f1_macro: 0, recall_floor: 0, ece: 1}
"""


def make_photos(root: Path, per_class: int = 12, seed: int = 0) -> Path:
    """Write `per_class` noisy 64 x 48 photos of each class below `root`."""
    random = np.random.default_rng(seed)
    (root / "train_images").mkdir(parents=True)
    rows = ["image_id,label"]
    for label, tint in enumerate(TINTS):
        for number in range(per_class):
            noise = random.integers(-60, 60, size=(6, 8, 3))
            small = np.clip(np.array(tint) + noise, 0, 255).astype(np.uint8)
            name = f"{label}_{number:02d}.jpg"
            Image.fromarray(small).resize((64, 48), Image.Resampling.BICUBIC).save(root / "train_images" / name)
            rows.append(f"{name},{label}")
    (root / "train.csv").write_text("\n".join(rows) + "\n")
    (root / "label_num_to_disease_map.json").write_text(json.dumps(dict(enumerate(NAMES))))
    return root
