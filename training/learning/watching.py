"""Figures of the validation photos during training; the reported ones come from the stored weights later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from lightning.fabric import Fabric
from timm.utils.distributed import distribute_bn
from torch import Tensor, nn
from torch.nn import functional


@torch.no_grad()
def validation_figures(
    fabric: Fabric,
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    classes: int,
    layout: torch.memory_format,
) -> dict[str, float]:
    """Figures over the photos of all devices, each by the network of the first one, which is the one that is kept.

    DDP passes the statistics of batch norms on when a training batch begins, so that after the last one they differ.

    Returns:
        `validation_loss` (cross-entropy, nats per photo), `validation_f1_macro` (over the classes that have photos) and
        `validation_accuracy_micro`.
    """
    if fabric.world_size > 1:
        distribute_bn(network, fabric.world_size)
    network.train()
    network.eval()  # anew: TinyViT, LeViT and others keep what they made of their weights as long as they evaluate
    counts = torch.zeros(classes, classes, device=fabric.device)
    loss = torch.zeros((), device=fabric.device)
    for photos, labels in batches:
        photos, labels = fabric.to_device((photos, labels))
        with fabric.autocast():
            logits = network(photos.contiguous(memory_format=layout))
        loss += functional.cross_entropy(logits.float(), labels, reduction="sum")
        cells = labels * classes + logits.argmax(dim=1)
        counts += torch.bincount(cells, minlength=classes**2).reshape(classes, classes)
    counts = fabric.all_reduce(counts, reduce_op="sum")  # type: ignore[assignment]
    loss = fabric.all_reduce(loss, reduce_op="sum")  # type: ignore[assignment]
    hits, support = counts.diagonal(), counts.sum(dim=0) + counts.sum(dim=1)
    occurring = counts.sum(dim=1) > 0
    return {
        "validation_loss": float(loss / counts.sum()),
        "validation_f1_macro": float((2 * hits[occurring] / support[occurring]).mean()),
        "validation_accuracy_micro": float(hits.sum() / counts.sum()),
    }


def said(figures: Mapping[str, float]) -> str:
    """Losses and validation figures of an epoch in a line."""
    return " ".join(f"{name} {value:.3f}" for name, value in figures.items() if "_loss" in name or "validation" in name)
