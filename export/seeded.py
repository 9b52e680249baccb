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
        _set_batch_statistics(network, pixels)
        _spread_logits(network, pixels)
    if folder.exists():
        shutil.rmtree(folder)
    save_for_hf(network, str(folder), safe_serialization=True)
    shutil.copyfile(classes_file, folder / "classes.json")


def _set_batch_statistics(network: torch.nn.Module, pixels: torch.Tensor) -> None:
    """One pass in which each BatchNorm takes its statistics from what reaches it (as LSUV does, arXiv:1511.06422).

    Variances are floored at half the layer's mean: channels that hardly vary on the samples would blow up on others.
    """

    def measure(norm: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3))
        norm.running_mean = mean
        norm.running_var = variance.clamp_min(0.5 * float(variance.mean()))

    norms = [m for m in network.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
    network.eval()(pixels)
    for hook in hooks:
        hook.remove()


def _spread_logits(network: torch.nn.Module, pixels: torch.Tensor) -> None:
    logits = torch.cat([network(row[None]) for row in pixels])
    head = network.get_classifier()  # type: ignore[operator]
    scale = LOGIT_STD / logits.std(dim=0).mean().clamp_min(1e-6)
    head.weight.mul_(scale)
    head.bias.copy_(-(logits - head.bias).mean(dim=0) * scale)
