"""Batches: each device its share, the same photos whatever came before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from training.config.command_line import configuration
from training.config.groups import TrainingConfig
from training.config.presets import load_presets, merge_values
from training.data.dataset import read_dataset
from training.data.split import Split, split_dataset
from training.learning.feeding import Feed


def configured(preset: Path, **groups: Any) -> TrainingConfig:
    return configuration(merge_values(load_presets(str(preset)), groups))


@pytest.fixture(scope="module")
def divided(preset: Path, photos: Path) -> Split:
    config = configured(preset).dataset
    return split_dataset(read_dataset(photos, config), config)


def evaluate(photo: Image.Image) -> Tensor:
    return torch.full((3, 8, 8), float(photo.width))


def feed(config: TrainingConfig, split: Split, replicas: int = 1, rank: int = 0) -> Feed:
    return Feed(config, split, 5, evaluate, replicas, rank)


def test_progressive_crops_grow(preset: Path, divided: Split) -> None:
    config = configured(preset, augmentation={"progressive": [16, 24, 32]}, schedule={"epochs": 6})
    fed = feed(config, divided)
    sides = [next(iter(fed.training(epoch, clean=True)))[0].shape[-1] for epoch in range(6)]
    assert sides == [16, 16, 24, 24, 32, 32]


def test_an_epoch_is_the_same_whatever_came_before(preset: Path, divided: Split) -> None:
    fed, fresh = (feed(configured(preset), divided) for _ in range(2))
    list(fed.training(0, clean=False))
    torch.manual_seed(99)
    for (one, labels), (other, again) in zip(fed.training(1, False), fresh.training(1, False), strict=True):
        assert torch.equal(one, other)
        assert torch.equal(labels, again)
    first = next(iter(fresh.training(0, False)))[0]
    assert not torch.equal(first, next(iter(fresh.training(1, False)))[0])


def test_devices_share_validation_photos_without_repeating_any(preset: Path, divided: Split) -> None:
    shares = [feed(configured(preset), divided, 5, rank) for rank in range(5)]
    labels = [label for share in shares for _, batch in share.validation() for label in batch.tolist()]
    assert sorted(labels) == sorted(photo.label for photo in divided.validation)
    assert {share.batches for share in shares} == {1}


def test_counts_and_batches(preset: Path, divided: Split) -> None:
    fed = feed(configured(preset), divided)
    assert sum(fed.counts) == len(divided.train)
    assert fed.batches == len(list(fed.training(0, False))) == len(divided.train) // 16
