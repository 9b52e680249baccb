"""The network under training: loss, optimiser, schedule, validation."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, cast

import lightning.pytorch as pl
import timm
import torch
from timm.optim._param_groups import param_groups_weight_decay
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from training.config.groups import ModelConfig, TrainingConfig
from training.errors import ConfigurationError
from training.transforms import batch_mixing


def build_network(config: ModelConfig, classes: int) -> nn.Module:
    """Create the timm network whose `pretrained_cfg` already states the evaluation transform.

    Returns:
        A module from float32 [N, 3, S, S] to logits float32 [N, classes].

    Raises:
        ConfigurationError: timm does not know the architecture or refuses the arguments.
    """
    overlay = {
        "input_size": (3, config.input_size, config.input_size),
        "mean": config.mean,
        "std": config.std,
        "interpolation": config.interpolation,
        "crop_pct": config.crop_pct,
        "crop_mode": config.crop_mode,
    }
    try:
        json.dumps(config.arguments)
        network: nn.Module = timm.create_model(
            config.architecture,
            pretrained=config.pretrained,
            num_classes=classes,
            pretrained_cfg_overlay=overlay,
            **config.arguments,
        )
    except (RuntimeError, TypeError, ValueError, AssertionError, KeyError) as error:
        raise ConfigurationError(
            f"timm cannot build {config.architecture!r} with model.arguments {config.arguments}: {error}"
        ) from error
    return network


def class_weights(labels: Sequence[int], classes: int, power: float) -> Tensor:
    """Weight (1 / count) ** power per class, float32 [classes], with mean 1 over the photos."""
    counts = torch.bincount(torch.tensor(labels), minlength=classes).clamp(min=1).float()
    weights = counts**-power
    return weights * (counts.sum() / (weights * counts).sum())


class Classifier(pl.LightningModule):
    """Cross-entropy classifier: AdamW (Loshchilov & Hutter 2019), warm-up, cosine to zero, label smoothing, mixing.

    Batches are (float32 [N, 3, S, S], int64 [N]).
    """

    def __init__(self, network: nn.Module, config: TrainingConfig, train_labels: Sequence[int], classes: int) -> None:
        super().__init__()
        self._config = config
        self._layout = torch.channels_last if config.hardware.channels_last else torch.contiguous_format
        self.network = network.to(memory_format=self._layout)
        self._mix = batch_mixing(config.augmentation, classes)
        balanced = config.loss.balance == "loss"
        weights = class_weights(train_labels, classes, config.loss.balance_power) if balanced else None
        self.register_buffer("loss_weights", weights, persistent=False)
        self.validation_metrics = MetricCollection(
            {
                "accuracy_micro": MulticlassAccuracy(classes, average="micro"),
                "f1_macro": MulticlassF1Score(classes, average="macro"),
            },
            prefix="validation_",
        )

    def forward(self, photos: Tensor) -> Tensor:
        """Logits [N, classes] of photos [N, 3, S, S]."""
        return cast(Tensor, self.network(photos.contiguous(memory_format=self._layout)))

    @property
    def clean(self) -> bool:
        """Whether the last, unmixed epochs have begun."""
        return self.current_epoch >= self._config.schedule.epochs - self._config.augmentation.clean_epochs

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Mean loss of one augmented batch, a scalar."""
        photos, targets = batch
        if self._mix is not None and not self.clean:
            photos, targets = self._mix(photos, targets)
        loss = functional.cross_entropy(
            self(photos).float(),
            targets,
            weight=cast("Tensor | None", self.loss_weights),
            label_smoothing=self._config.loss.label_smoothing,
        )
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(photos))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        """Collect the validation metrics of one batch."""
        photos, labels = batch
        logits = self(photos).float()
        self.validation_metrics.update(logits, labels)
        self.log("validation_loss", functional.cross_entropy(logits, labels), batch_size=len(photos))

    def on_validation_epoch_end(self) -> None:
        """Log and reset, so that the sanity check leaves nothing behind."""
        self.log_dict(self.validation_metrics.compute())
        self.validation_metrics.reset()

    def configure_optimizers(self) -> Any:
        """AdamW with a rate per step: linear warm-up, then half a cosine (Loshchilov & Hutter 2017)."""
        config = self._config.schedule
        groups = param_groups_weight_decay(self.network, config.weight_decay)
        optimiser = torch.optim.AdamW(groups, lr=config.learning_rate)
        steps = int(self.trainer.estimated_stepping_batches)
        warmup = min(steps - 1, round(config.warmup_epochs * steps / config.epochs))

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / (warmup + 1)
            return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": LambdaLR(optimiser, factor), "interval": "step"}}
