"""What `report.json` says about the run besides its figures: data, code and library versions."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from training.config.groups import TrainingConfig
from training.data.dataset import Dataset
from training.data.photos import Photo
from training.data.split import Split

LIBRARIES = ("torch", "torchvision", "timm", "lightning", "torchmetrics", "scikit-learn", "numpy", "pillow")


def photos_sha256(dataset: Dataset) -> str:
    """One hash over all photos: sha256 (hex) over lines 'sha256  image_id'."""
    pairs = zip(dataset.photos, dataset.fingerprints, strict=True)
    return hashlib.sha256("".join(f"{item.sha256}  {photo.image_id}\n" for photo, item in pairs).encode()).hexdigest()


def build_report(
    config: TrainingConfig,
    dataset: Dataset,
    split: Split,
    network: nn.Module,
    metrics: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """Assemble the report; JSON-ready, and without any path of this machine."""
    task, photos = dataset.task, dataset.photos
    keys = [info.key for info in task.classes]
    return {
        "task": task.task,
        "architecture": config.model.architecture,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "data": {
            "origin": config.dataset.origin,
            "licence": config.dataset.licence,
            "photos": len(photos),
            "photos_per_class": _counts(photos, keys),
            "table_sha256": dataset.table_sha256,
            "photos_sha256": photos_sha256(dataset),
            "photos_sha256_of": "lines 'sha256  image_id', sorted by image_id",
        },
        "split": {
            "hash": split.hash,
            "sizes": split.sizes,
            "photos_per_class": {part: _counts(getattr(split, part), keys) for part in ("train", "validation", "test")},
            "near_duplicate_groups": split.groups,
            "left_out": len(split.left_out),
            "method": "stratified by class, grouped by 64-bit difference hash",
        },
        "metrics": metrics,
        "configuration": shown_configuration(config),
        "training_seconds": round(seconds, 1),
        "git_commit": git_commit(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
    }


def shown_configuration(config: TrainingConfig) -> dict[str, Any]:
    """The configuration as others may read it, JSON-ready: no folders of this machine, no address with its password."""
    values = config.model_dump(mode="json", exclude={"tracking"})
    for group, field in (("model", "pretrained_file"), ("dataset", "split_file"), ("dataset", "task")):
        values[group][field] = Path(values[group][field]).name
    return values


LEARNING = ("model", "augmentation", "loss", "schedule")
"""Groups of the configuration that say how a network learns, whatever it learns from."""


def same_recipe(stored: dict[str, Any], config: TrainingConfig, groups: Sequence[str] = ("dataset", *LEARNING)) -> bool:
    """Whether a report's configuration learns as `config` does; fields that an older report lacks count as the same."""
    asked = shown_configuration(config)
    idle = {"workers", "origin", "licence"}
    return all(
        stored[group].get(name, value) == value
        for group in groups
        for name, value in asked[group].items()
        if name not in idle
    )


def _counts(photos: Sequence[Photo], keys: list[str]) -> dict[str, int]:
    counts = Counter(photo.label for photo in photos)
    return {key: counts[label] for label, key in enumerate(keys)}


def git_commit() -> str | None:
    """Commit of this code, with `-dirty` where this folder was changed since; None outside a git checkout."""
    here = Path(__file__).parent
    git = shutil.which("git")
    if git is None:
        return None
    try:
        head = subprocess.run([git, "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
        changed = subprocess.run([git, "diff", "--quiet", "HEAD", "--", "."], cwd=here, check=False).returncode
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("-dirty" if changed else "")
