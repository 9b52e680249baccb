"""Logits of photos as they will be served: from the original files, through timm's evaluation transform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from training.data import Photo, open_photo, progress, read_photos
from training.errors import PhotoError
from training.folder import PARTS, Predictions, read_network, read_predictions, read_task
from training.metrics import compute_metrics
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


def evaluate_folder(folder: Path, root: Path) -> dict[str, Any]:
    """Evaluate a trained-model folder again on the photos it was evaluated on.

    Returns:
        Per part the metrics, and `largest_logit_difference` from the stored logits.

    Raises:
        ModelFolderError: the folder is not complete.
        DataError: the photos are not those of the folder, or unusable.
    """
    task = read_task(folder)
    stored = {part: read_predictions(folder, part) for part in PARTS}
    network = read_network(folder)
    photos = {photo.image_id: photo for photo in read_photos(root, task)}
    results: dict[str, Any] = {}
    for part, expected in stored.items():
        chosen = []
        for image_id, label in zip(expected.image_ids.tolist(), expected.labels.tolist(), strict=True):
            if image_id not in photos or photos[image_id].label != label:
                raise PhotoError(
                    f"{root / 'train.csv'} does not list {image_id} with label {label}, as {part}.npz does: "
                    "give --data the photos that the model was trained with."
                )
            chosen.append(photos[image_id])
        found = predict(network, chosen, expected.split_hash)
        results[part] = compute_metrics(found.logits, found.labels, [info.key for info in task.classes])
        results[part]["largest_logit_difference"] = float(np.abs(found.logits - expected.logits).max())
    return results
