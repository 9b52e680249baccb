"""Logits of photos as they will be served: from the original files, through timm's evaluation transform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import softmax  # type: ignore[import-untyped]
from torch import nn

from training.data.photos import Photo, open_photo, progress, read_photos
from training.errors import ModelFolderError, PhotoError
from training.evaluation.metrics import compute_metrics
from training.folder import PARTS, Predictions, read_network, read_predictions, read_task
from training.transforms import evaluation_transform


@torch.inference_mode()
def predict(network: nn.Module, photos: Sequence[Photo], split_hash: str, batch_size: int = 32) -> Predictions:
    """Run the network in float32 over the original files.

    Returns:
        Predictions in the order of `photos`.

    Raises:
        PhotoError: a file is missing or unreadable.
    """
    network.eval()
    device = next(network.parameters()).device
    transform = evaluation_transform(network)
    batches, pending = [], []
    for index, photo in enumerate(progress(photos, "Evaluating"), start=1):
        pending.append(transform(open_photo(photo.path)))
        if len(pending) == batch_size or index == len(photos):
            batches.append(network(torch.stack(pending).to(device)).float().cpu())
            pending = []
    return Predictions(
        logits=torch.cat(batches).numpy(),
        labels=np.array([photo.label for photo in photos], dtype=np.int64),
        image_ids=np.array([photo.image_id for photo in photos], dtype=np.str_),
        split_hash=split_hash,
    )


def evaluate_folders(folders: Sequence[Path], root: Path) -> dict[str, Any]:
    """Evaluate trained-model folders again on the photos they were evaluated on; several are averaged too.

    Returns:
        Folder name → part → metrics, with `largest_logit_difference` from the stored logits. Several folders
        add `average`: the metrics of their averaged probabilities.

    Raises:
        ModelFolderError: a folder is not complete, or the folders differ in split or classes.
        DataError: the photos are not those of the folders, or unusable.
    """
    task = read_task(folders[0])
    keys = [info.key for info in task.classes]
    photos = {photo.image_id: photo for photo in read_photos(root, task)}
    results: dict[str, Any] = {}
    found: dict[str, list[Predictions]] = {part: [] for part in PARTS}
    for folder in folders:
        if [info.key for info in read_task(folder).classes] != keys:
            raise ModelFolderError(f"{folder} and {folders[0]} differ in their classes: only one task can be averaged.")
        stored = {part: read_predictions(folder, part) for part in PARTS}
        network = read_network(folder)
        results[folder.name] = {}
        for part, expected in stored.items():
            again = predict(network, _photos_of(expected, photos, root, part), expected.split_hash)
            metrics = compute_metrics(again.logits, again.labels, keys)
            metrics["largest_logit_difference"] = float(np.abs(again.logits - expected.logits).max())
            results[folder.name][part] = metrics
            found[part].append(again)
    if len(folders) > 1:
        results["average"] = {part: _average(members, keys) for part, members in found.items()}
    return results


def _photos_of(expected: Predictions, photos: dict[str, Photo], root: Path, part: str) -> list[Photo]:
    chosen = []
    for image_id, label in zip(expected.image_ids.tolist(), expected.labels.tolist(), strict=True):
        if image_id not in photos or photos[image_id].label != label:
            raise PhotoError(
                f"{root / 'train.csv'} does not list {image_id} with label {label}, as {part}.npz does: "
                "give --data the photos that the model was trained with."
            )
        chosen.append(photos[image_id])
    return chosen


def _average(members: Sequence[Predictions], keys: list[str]) -> dict[str, Any]:
    if len({member.split_hash for member in members}) > 1:
        raise ModelFolderError(
            "The folders were trained on different splits: one's test photos may be another's lessons."
        )
    probabilities = np.mean([softmax(member.logits, axis=1) for member in members], axis=0)
    return compute_metrics(np.log(probabilities), members[0].labels, keys)
