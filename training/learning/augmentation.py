"""Random changes of training photos: of one crop at a time on the way in, of whole batches on the device."""

from __future__ import annotations

import io
import math
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
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
                *_geometry(config),
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


def _geometry(config: AugmentationConfig) -> list[nn.Module]:
    steps: list[nn.Module] = []
    if config.flip:
        steps += [v2.RandomHorizontalFlip(config.flip), v2.RandomVerticalFlip(config.flip)]
    if config.quarter_turns:
        steps.append(_QuarterTurn())
    if config.rotation or config.shift or config.zoom:
        steps.append(_Affine(config.rotation, config.shift, config.zoom))
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
        steps.append(_Jpeg(config.jpeg))
    return steps


class _QuarterTurn(v2.Transform):  # type: ignore[misc]
    """Turn by 0, 90, 180 or 270 degrees, which needs no interpolation."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"turns": int(torch.randint(4, ()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return torch.rot90(inpt, params["turns"], dims=(-2, -1))


class _Affine(nn.Module):
    """Turn, shift and scale at random; what comes in from beyond the border is its mirror image. uint8 [3, S, S]."""

    def __init__(self, rotation: float, shift: float, zoom: float) -> None:
        super().__init__()
        self._largest = torch.tensor([math.radians(rotation), 2 * shift, 2 * shift, zoom])

    def forward(self, crop: Tensor) -> Tensor:
        angle, right, down, zoom = (self._largest * (2 * torch.rand(4) - 1)).tolist()
        cosine, sine = math.cos(angle) / (1 + zoom), math.sin(angle) / (1 + zoom)
        matrix = torch.tensor([[[cosine, -sine, right], [sine, cosine, down]]])
        grid = functional.affine_grid(matrix, [1, *crop.shape], align_corners=False)
        moved = functional.grid_sample(crop[None].float(), grid, padding_mode="reflection", align_corners=False)
        return moved[0].round().to(torch.uint8)


class _Sometimes(nn.Module):
    """Change a crop with some probability; `change` is what is done then."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self._probability = probability

    def forward(self, crop: Tensor) -> Tensor:
        return self.change(crop) if torch.rand(()) < self._probability else crop

    def change(self, crop: Tensor) -> Tensor:
        raise NotImplementedError


class _Shadow(_Sometimes):
    """Darken what lies on one side of a random line, with a soft edge; uint8 [3, S, S] to the same."""

    def change(self, crop: Tensor) -> Tensor:
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


class _Jpeg(_Sometimes):
    """Compress and decompress at a random quality; uint8 [3, S, S] to the same."""

    def change(self, crop: Tensor) -> Tensor:
        file = io.BytesIO()
        quality = int(torch.randint(QUALITIES[0], QUALITIES[1] + 1, ()))
        Image.fromarray(crop.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
        compressed: Tensor = v2.functional.pil_to_tensor(Image.open(file))
        return compressed


class _Noise(_Sometimes):
    """Add Gaussian noise of a random strength; float32 0-1 to the same."""

    def change(self, crop: Tensor) -> Tensor:
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
