"""Random augmentation for training, timm's own transform for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from PIL import Image
from timm.data.config import resolve_data_config, resolve_model_data_config
from timm.data.transforms_factory import create_transform
from torch import nn
from torchvision.transforms import InterpolationMode, v2

from training.config.groups import AugmentationConfig, ModelConfig


def evaluation_transform(model_or_cfg: nn.Module | Mapping[str, Any]) -> Callable[[Image.Image], torch.Tensor]:
    """Build the transform that a trained model was evaluated with, from nothing but the model or its `pretrained_cfg`.

    Returns:
        A function from an RGB photo to float32 [3, H, W], normalised. Serving has to reproduce it.
    """
    if isinstance(model_or_cfg, nn.Module):
        resolved = resolve_model_data_config(model_or_cfg)
    else:
        resolved = resolve_data_config(pretrained_cfg=dict(model_or_cfg))
    transform: Callable[[Image.Image], torch.Tensor] = create_transform(**resolved, is_training=False)
    return transform


class _QuarterTurn(v2.Transform):  # type: ignore[misc]
    """Turn by 0, 90, 180 or 270 degrees, which needs no interpolation."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"turns": int(torch.randint(4, ()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return torch.rot90(inpt, params["turns"], dims=(-2, -1))


class TrainingTransform:
    """Crop, turn, recolour, normalise and erase at random.

    Takes a uint8 [3, H, W] photo, gives float32 [3, S, S] with S the crop size.
    """

    def __init__(self, config: AugmentationConfig, model: ModelConfig) -> None:
        self._geometry_and_colour = v2.Compose(
            [
                v2.RandomResizedCrop(
                    config.crop_size or model.input_size,
                    config.crop_scale,
                    config.crop_ratio,
                    InterpolationMode.BILINEAR,
                    antialias=True,
                ),
                v2.RandomHorizontalFlip(config.flip),
                v2.RandomVerticalFlip(config.flip),
                *([_QuarterTurn()] if config.quarter_turns else []),
                v2.ColorJitter(config.brightness, config.contrast, config.saturation, config.hue),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(list(model.mean), list(model.std)),
            ]
        )
        self._erase = v2.RandomErasing(config.erasing, scale=(0.02, 0.2))
        self.clean = False
        """Set for the last epochs: photos are no longer erased."""

    def __call__(self, photo: torch.Tensor) -> torch.Tensor:
        augmented: torch.Tensor = self._geometry_and_colour(photo)
        return augmented if self.clean else self._erase(augmented)


def batch_mixing(config: AugmentationConfig, classes: int) -> v2.Transform | None:
    """MixUp or CutMix on (float32 [N, 3, S, S], int64 [N]) → (same, float32 [N, classes]); None where both are off."""
    choices: list[v2.Transform] = []
    if config.mixup_alpha:
        choices.append(v2.MixUp(alpha=config.mixup_alpha, num_classes=classes))
    if config.cutmix_alpha:
        choices.append(v2.CutMix(alpha=config.cutmix_alpha, num_classes=classes))
    if not choices or not config.mix_probability:
        return None
    return v2.RandomApply([v2.RandomChoice(choices)], p=config.mix_probability)
