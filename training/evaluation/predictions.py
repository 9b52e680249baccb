"""Logits of photos as they will be served: from the original files, through timm's evaluation transform."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from training.data.photos import Photo, open_photo, progress
from training.folder import Predictions
from training.transforms import evaluation_transform

VIEWS = (1, 8)
"""One view, or the eight ways in which a square lies: four quarter turns, each plain and mirrored."""


@torch.inference_mode()
def predict(
    network: nn.Module, photos: Sequence[Photo], split_hash: str, batch_size: int = 32, views: int = 1
) -> Predictions:
    """Run the network in float32 over the original files, on the device that holds it.

    Args:
        network: from float32 [N, 3, H, W] to logits [N, C].
        photos: N labelled photos.
        split_hash: copied into the result.
        batch_size: photos at a time.
        views: 1, or 8 to average the probabilities over the eight ways in which a square photo lies.

    Returns:
        Predictions in the order of `photos`; with 8 views the logits are logarithms of the mean probabilities.

    Raises:
        PhotoError: a file is missing or unreadable.
    """
    network.eval()
    device = next(network.parameters()).device
    transform = evaluation_transform(network)
    found = [logits_of(network, batch.to(device), views).cpu() for batch in _batches(photos, transform, batch_size)]
    return Predictions(
        logits=torch.cat(found).numpy() if found else np.empty((0, cast(int, network.num_classes)), np.float32),
        labels=np.array([photo.label for photo in photos], dtype=np.int64),
        image_ids=np.array([photo.image_id for photo in photos], dtype=np.str_),
        split_hash=split_hash,
    )


def logits_of(network: nn.Module, pixels: Tensor, views: int = 1) -> Tensor:
    """Logits float32 [N, C] of normalised photos [N, 3, H, W]; of 8 views the logarithm of the mean probabilities."""
    if views == 1:
        return cast(Tensor, network(pixels)).float()
    mean = sum(network(view).float().softmax(dim=1) for view in _lying(pixels)) / views
    return cast(Tensor, mean).clamp_min(torch.finfo(torch.float32).tiny).log()


def _lying(pixels: Tensor) -> Iterator[Tensor]:
    for upright in (pixels, pixels.flip(-1)):
        for turns in range(4):
            yield torch.rot90(upright, turns, dims=(-2, -1)).contiguous()


def _batches(photos: Sequence[Photo], transform: Callable[[Image.Image], Tensor], size: int) -> Iterator[Tensor]:
    """Pixels [size, 3, H, W]; the next batch is decoded by threads while the network is busy with this one."""

    def load(photo: Photo) -> Tensor:
        return transform(open_photo(photo.path))

    coming = progress(photos, "Evaluating")
    with ThreadPoolExecutor() as pool:
        pending = [pool.submit(load, photo) for photo in islice(coming, size)]
        while pending:
            ready, pending = pending, [pool.submit(load, photo) for photo in islice(coming, size)]
            yield torch.stack([future.result() for future in ready])
