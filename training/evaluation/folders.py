"""Trained-model folders opened again: do they belong together, and do the photos still give what they store?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from training.data.photos import Photo
from training.errors import ModelFolderError, PhotoError
from training.evaluation.predictions import predict
from training.folder import PARTS, Predictions, read_network, read_predictions, read_task, read_test
from training.tasks import Task


@dataclass(frozen=True)
class Member:
    """One trained-model folder, its network and what it stored about photos that it never saw."""

    folder: Path
    task: Task
    network: nn.Module
    stored: dict[str, Predictions]
    """By part: validation and test."""

    @property
    def name(self) -> str:
        """The folder's name, which is the member's."""
        return self.folder.resolve().name


def locate(model: str, tracking: str = "") -> Path:
    """The folder of a model given as a path, or as a registered one (`models:/NAME@ALIAS`), which is fetched.

    Raises:
        ModelFolderError: there is no such folder.
        TrackingError: the registry does not have it or cannot be reached.
    """
    if not model.startswith("models:/"):
        if not Path(model).is_dir():
            raise ModelFolderError(f"{model} is not a folder: give one that `fit` wrote, or models:/NAME@ALIAS.")
        return Path(model)
    from training.tracking.registry import model_folder  # MLflow takes seconds to import

    return model_folder(model, tracking)


def open_members(folders: Sequence[Path]) -> list[Member]:
    """Open trained-model folders of one task and one split.

    Raises:
        ModelFolderError: a folder is not complete, two have one name, or they differ in split or classes.
    """
    members = [
        Member(
            folder,
            read_task(folder),
            read_network(folder),
            {"validation": read_predictions(folder, "validation"), "test": read_test(folder)},
        )
        for folder in folders
    ]
    first = members[0]
    for member in members[1:]:
        if [info.key for info in member.task.classes] != [info.key for info in first.task.classes]:
            raise ModelFolderError(
                f"{member.folder} and {first.folder} differ in their classes: only members of one task go together."
            )
        if any(member.stored[part].split_hash != first.stored[part].split_hash for part in PARTS):
            raise ModelFolderError(
                f"{member.folder} and {first.folder} differ in their split: one's test photos may be another's lessons. "
                "Train them with the same data, dataset.split_seed and fractions."
            )
    if len({member.name for member in members}) < len(members):
        raise ModelFolderError("Two folders have the same name: figures are told apart by it, so rename one.")
    return members


def photos_of(member: Member, photos: Sequence[Photo]) -> dict[str, list[Photo]]:
    """The member's own validation and test photos among those of a data folder, in the stored order.

    Raises:
        PhotoError: one is missing, or has another label now.
    """
    known = {photo.image_id: photo for photo in photos}
    found: dict[str, list[Photo]] = {part: [] for part in PARTS}
    for part, stored in member.stored.items():
        for image_id, label in zip(stored.image_ids.tolist(), stored.labels.tolist(), strict=True):
            if image_id not in known or known[image_id].label != label:
                raise PhotoError(
                    f"The data do not list {image_id} with label {label}, as {member.folder / part}.npz does: "
                    "give --data the photos that the model was trained with."
                )
            found[part].append(known[image_id])
    return found


def recompute(member: Member, photos: dict[str, list[Photo]], views: int = 1) -> dict[str, Predictions]:
    """Run the network over its photos again, by part."""
    return {
        part: predict(member.network, photos[part], stored.split_hash, views=views)
        for part, stored in member.stored.items()
    }


def largest_difference(again: Predictions, stored: Predictions) -> float:
    """Largest absolute difference of two sets of logits; 0 without photos."""
    return float(np.abs(again.logits - stored.logits).max(initial=0.0))
