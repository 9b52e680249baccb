"""Augmentations change what they say, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from training.config.command_line import configuration
from training.config.groups import AugmentationConfig, ModelConfig
from training.config.presets import load_presets
from training.learning.augmentation import TrainingTransform, batch_mixing

MODEL = ModelConfig(input_size=40, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
NOTHING: dict[str, Any] = {
    **dict.fromkeys(("flip", "brightness", "contrast", "saturation", "hue", "erasing"), 0.0),
    "quarter_turns": False,
}
CROP = torch.arange(3 * 40 * 40, dtype=torch.int64).remainder(251).to(torch.uint8).reshape(3, 40, 40)


def changed(seed: int = 0, **fields: Any) -> torch.Tensor:
    torch.manual_seed(seed)
    return TrainingTransform(AugmentationConfig(**NOTHING | fields), MODEL)(CROP)


PLAIN = (CROP.float() / 255 - 0.5) / 0.5


def test_nothing_but_normalisation() -> None:
    torch.testing.assert_close(changed(), PLAIN)


@pytest.mark.parametrize(
    "fields",
    [
        {"rotation": 30},
        {"shift": 0.3},
        {"zoom": 0.4},
        {"blur": 1.0},
        {"noise": 1.0},
        {"jpeg": 1.0},
        {"shadow": 1.0},
        {"erasing": 1.0},
        {"brightness": 0.5},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_each_change_is_one_and_follows_the_seed(fields: dict[str, float]) -> None:
    first = changed(1, **fields)
    assert first.shape == (3, 40, 40)
    assert first.dtype == torch.float32
    assert not torch.equal(first, PLAIN)
    assert torch.equal(first, changed(1, **fields))
    assert any(not torch.equal(first, changed(seed, **fields)) for seed in range(2, 6))
    bounds = (-5, 5) if "erasing" in fields else (-1.001, 1.001)
    assert bounds[0] <= first.min()
    assert first.max() <= bounds[1]


def test_a_shadow_darkens() -> None:
    assert (changed(3, shadow=1.0) <= PLAIN + 0.01).all()


def test_what_comes_in_from_beyond_the_border_mirrors_the_photo() -> None:
    bright = torch.full((3, 40, 40), 200, dtype=torch.uint8)
    torch.manual_seed(0)
    moved = TrainingTransform(AugmentationConfig(**NOTHING | {"rotation": 45, "shift": 0.4}), MODEL)(bright)
    torch.testing.assert_close(moved, torch.full_like(moved, (200 / 255 - 0.5) / 0.5))


def test_clean_epochs_erase_nothing() -> None:
    transform = TrainingTransform(AugmentationConfig(**NOTHING | {"erasing": 1.0}), MODEL)
    transform.clean = True
    torch.testing.assert_close(transform(CROP), PLAIN)


def test_mixing_keeps_the_sum_of_targets() -> None:
    mix = batch_mixing(AugmentationConfig(mix_probability=1.0), 5)
    assert mix is not None
    photos, targets = mix(torch.rand(8, 3, 16, 16), torch.arange(8) % 5)
    assert photos.shape == (8, 3, 16, 16)
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(8))
    assert batch_mixing(AugmentationConfig(mixup_alpha=0, cutmix_alpha=0), 5) is None


@pytest.mark.parametrize("name", ["basic", "strong"])
def test_presets_of_augmentation(name: str) -> None:
    config = configuration(load_presets(f"augmentation/{name}")).augmentation
    torch.manual_seed(0)
    outcomes = [TrainingTransform(config, MODEL)(CROP) for _ in range(20)]
    assert all(torch.isfinite(outcome).all() for outcome in outcomes)
    assert len({float(outcome.sum()) for outcome in outcomes}) == 20
    spoiled = (config.blur, config.noise, config.jpeg, config.shadow, config.erasing)
    assert all(spoiled) if name == "strong" else not any(spoiled)
