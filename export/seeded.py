"""Seeded members of any timm architecture, for trying the whole path at full size without trained weights.

A purely seeded EfficientNet answers the same for every photo, so nothing could be compared: BatchNorm statistics are
taken from sample photos, and the head is scaled until logits spread as a trained network's do.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import timm
import torch
from PIL import Image
from timm.data.config import resolve_model_data_config
from timm.data.transforms_factory import create_transform
from timm.models import save_for_hf

import architectures  # noqa: F401  # registers the networks of our own with timm

LOGIT_STD = 1.5


def write_seeded_member(
    folder: Path, architecture: str, classes_file: Path, class_count: int, photos: Sequence[Image.Image]
) -> None:
    """Write a trained-model folder whose weights come from seed 0; it says nothing about any leaf."""
    torch.manual_seed(0)
    network = timm.create_model(architecture, pretrained=False, num_classes=class_count)
    transform = create_transform(**resolve_model_data_config(network))
    pixels = torch.stack([transform(photo) for photo in photos])
    with torch.inference_mode():
        # on other photos than the statistics were taken from, where logits spread twenty times as far
        half = len(pixels) // 2
        _set_batch_statistics(network.eval(), pixels[:half])
        _spread_logits(network, pixels[half:])
    if folder.exists():
        shutil.rmtree(folder)
    save_for_hf(network, str(folder), safe_serialization=True)
    shutil.copyfile(classes_file, folder / "classes.json")


def _set_batch_statistics(network: torch.nn.Module, pixels: torch.Tensor) -> None:
    norms = [m for m in network.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = 1.0  # the statistics of this one batch
    if norms:
        network.train()
        network(pixels)
        network.eval()


def _spread_logits(network: torch.nn.Module, pixels: torch.Tensor) -> None:
    logits = torch.cat([network(row[None]) for row in pixels])
    head = network.get_classifier()  # type: ignore[operator]
    scale = LOGIT_STD / logits.std(dim=0).mean().clamp_min(1e-6)
    head.weight.mul_(scale)
    head.bias.copy_(-(logits - head.bias).mean(dim=0) * scale)
