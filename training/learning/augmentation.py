"""Random changes of training photos: of one crop at a time on the way in, of whole batches on the device."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from training.config.groups import AugmentationConfig, ModelConfig

SHADES = (0.35, 0.8)
"""How much light a shadow leaves, share."""
LARGEST_NOISE = 15 / 255
"""Standard deviation of the noise, share of the range."""
QUALITIES = (30, 90)
"""JPEG qualities."""


class TrainingTransform:
    """Turn, recolour, spoil, normalise and erase at random.

    Takes a uint8 [3, S, S] crop, gives float32 [3, S, S]. All randomness is torch's global generator.
    """

    def __init__(self, config: AugmentationConfig, model: ModelConfig) -> None:
        side = config.crop_size or model.input_size
        self._steps = v2.Compose(
            [
                *_geometry(config, model),
                *_light(config),
                *_camera(config, side),
                v2.ToDtype(torch.float32, scale=True),
                *([_Noise(config.noise)] if config.noise else []),
                v2.Normalize(list(model.mean), list(model.std)),
            ]
        )
        self._erase = v2.RandomErasing(config.erasing, scale=(0.02, 0.2)) if config.erasing else None
        self.clean = False
        """Set for the last epochs: photos are no longer erased."""

    def __call__(self, crop: Tensor) -> Tensor:
        augmented: Tensor = self._steps(crop)
        return augmented if self.clean or self._erase is None else self._erase(augmented)


def _geometry(config: AugmentationConfig, model: ModelConfig) -> list[nn.Module]:
    steps: list[nn.Module] = []
    if config.flip:
        steps += [v2.RandomHorizontalFlip(config.flip), v2.RandomVerticalFlip(config.flip)]
    if config.quarter_turns:
        steps.append(_QuarterTurn())
    if config.rotation or config.shift or config.zoom:
        steps.append(
            v2.RandomAffine(
                config.rotation,
                (config.shift, config.shift) if config.shift else None,
                (1 - config.zoom, 1 + config.zoom) if config.zoom else None,
                interpolation=v2.InterpolationMode.BILINEAR,
                fill=[round(255 * value) for value in model.mean],  # what normalises to nothing
            )
        )
    return steps


def _light(config: AugmentationConfig) -> list[nn.Module]:
    changes = (config.brightness, config.contrast, config.saturation, config.hue)
    steps: list[nn.Module] = [v2.ColorJitter(*changes)] if any(changes) else []
    return [*steps, _Shadow(config.shadow)] if config.shadow else steps


def _camera(config: AugmentationConfig, side: int) -> list[nn.Module]:
    steps: list[nn.Module] = []
    if config.blur:
        sigma = max(0.5, side / 100)
        kernel = 2 * math.ceil(2 * sigma) + 1
        steps.append(v2.RandomApply([v2.GaussianBlur(kernel, (0.1, sigma))], config.blur))
    if config.jpeg:
        steps.append(v2.RandomApply([v2.JPEG(QUALITIES)], config.jpeg))
    return steps


class _QuarterTurn(v2.Transform):  # type: ignore[misc]
    """Turn by 0, 90, 180 or 270 degrees, which needs no interpolation."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"turns": int(torch.randint(4, ()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return torch.rot90(inpt, params["turns"], dims=(-2, -1))


class _Shadow(nn.Module):
    """Darken what lies on one side of a random line, with a soft edge; uint8 [3, S, S] to the same."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self._probability = probability

    def forward(self, crop: Tensor) -> Tensor:
        if torch.rand(()) >= self._probability:
            return crop
        height, width = crop.shape[-2:]
        angle, offset, softness, light = torch.rand(4).tolist()
        angle *= 2 * math.pi
        rows = torch.linspace(-1, 1, height)[:, None]
        columns = torch.linspace(-1, 1, width)[None, :]
        distance = columns * math.cos(angle) + rows * math.sin(angle) - (offset - 0.5)
        light = SHADES[0] + light * (SHADES[1] - SHADES[0])
        factor = 1 - (1 - light) * torch.sigmoid(distance / (0.01 + 0.1 * softness))
        darkened: Tensor = (crop * factor).to(torch.uint8)
        return darkened


class _Noise(nn.Module):
    """Add Gaussian noise of a random strength; float32 0-1 to the same."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self._probability = probability

    def forward(self, crop: Tensor) -> Tensor:
        if torch.rand(()) >= self._probability:
            return crop
        return (crop + torch.rand(()) * LARGEST_NOISE * torch.randn_like(crop)).clamp(0, 1)


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
