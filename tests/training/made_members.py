"""Trained-model folders with chosen answers, made without training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = ("healthy", "rust", "spot")


def make_member(
    folder: Path,
    right: float = 0.95,
    *,
    photos: int = 120,
    seed: int = 0,
    task: str = "leaves",
    classes: tuple[str, ...] = CLASSES,
    blind_to: str = "",
    sureness: float = 4.0,
    prefix: str = "",
    bars: dict[str, float] | None = None,
) -> Path:
    """Write a folder whose answers are right for the share `right` of the photos.

    Args:
        folder: where; its name is the member's.
        right: share of right answers, the same photos first for the same seed.
        photos: in each part, number.
        seed: of labels and of which answers are wrong.
        task: key of the task.
        classes: keys, in label order.
        blind_to: a class that is always taken for the first one.
        sureness: height of the winning logit.
        prefix: of the image ids: other photos than those of the other prefixes.
        bars: of the gate, in the report's configuration.
    """
    folder.mkdir(parents=True)
    info = [{"key": key, "names": {"en": key}, "advice": {"en": "Look again."}, "source": "none"} for key in classes]
    _write(folder / "classes.json", {"task": task, "crop": {"en": "leaf"}, "languages": ["en"], "classes": info})
    _write(
        folder / "config.json",
        {"architecture": "resnet18", "num_classes": len(classes), "pretrained_cfg": {"seed": seed}},
    )
    (folder / "model.safetensors").write_bytes(f"{right} {seed}".encode())
    split_hash = f"split-{prefix}{photos}"
    for number, part in enumerate(("validation", "test")):
        random = np.random.default_rng(seed * 2 + number)
        labels = np.arange(photos) % len(classes)
        wrong = random.permutation(photos) >= round(right * photos)
        said = np.where(wrong, (labels + 1) % len(classes), labels)
        if blind_to:
            said[labels == classes.index(blind_to)] = 0
        logits = random.normal(0, 0.1, (photos, len(classes))) + sureness * np.eye(len(classes))[said]
        ids = np.array([f"{prefix}{part}-{index:04}.jpg" for index in range(photos)])
        arrays: dict[str, Any] = {
            "labels": labels.astype(np.int64),
            "image_ids": ids,
            "split_hash": np.str_(split_hash),
        }
        np.savez_compressed(folder / f"{part}.npz", logits=logits.astype(np.float32), **arrays)
    configuration = {"gate": bars or {}, "schedule": {"epochs": 2, "learning_rate": 0.001}}
    report = {
        "task": task,
        "data": {"table_sha256": "a" * 64, "photos_sha256": "b" * 64},
        "split": {"hash": split_hash},
        "metrics": {"test": {"accuracy_micro": right, "recall_per_class": {"rust": {"recall": 0.5}}}},
        "configuration": configuration,
        "git_commit": "c" * 40,
    }
    _write(folder / "report.json", report)
    epochs = [{"epoch": number, "train_loss": 1 / number, "validation_f1_macro": 0.4 * number} for number in (1, 2)]
    _write(folder / "history.json", epochs)
    return folder


def _write(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value), encoding="utf-8")
