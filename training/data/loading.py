"""Feeds photos: training items by index and seed, so that no worker, device or restart changes what is learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, Sampler
from torchvision.transforms.v2 import InterpolationMode, functional

from training.config.groups import TrainingConfig
from training.data.cropping import Box, decode_crop, draw_box, upright_size
from training.data.dataset import processors
from training.data.memory import fits_memory
from training.data.photos import Photo, open_photo, progress

Key = tuple[int, int]
"""Which photo, and the seed of everything random that happens to it."""


class EpochSampler(Sampler[Key]):
    """Yields (index, seed) of one epoch's items; both follow from seed, epoch and position alone.

    Args:
        count: photos in the data set, and items per epoch.
        seed: of order and augmentation.
        weights: per photo; drawn with replacement in proportion. None: each photo once, shuffled.
        replicas: devices that share the epoch; positions are dealt to them in turn, the first ones again where the
            last round is short.
        rank: which of them this one is.
    """

    def __init__(
        self, count: int, seed: int, weights: Sequence[float] | None = None, replicas: int = 1, rank: int = 0
    ) -> None:
        self._count, self._seed, self._replicas, self._rank = count, seed, replicas, rank
        self._weights = None if weights is None else np.asarray(weights, dtype=np.float64) / np.sum(weights)
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration yields, from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-self._count // self._replicas)

    def __iter__(self) -> Iterator[Key]:
        origin = np.random.SeedSequence((self._seed, self._epoch))
        random = np.random.default_rng(origin)
        if self._weights is None:
            order = random.permutation(self._count)
        else:
            order = random.choice(self._count, size=self._count, p=self._weights)
        seeds = origin.spawn(1)[0].generate_state(self._count, np.uint64) >> np.uint64(1)
        positions = np.arange(self._rank, len(self) * self._replicas, self._replicas) % self._count
        yield from zip(order[positions].tolist(), seeds[positions].tolist(), strict=True)


class TrainingPhotos(Dataset[tuple[Tensor, int]]):
    """Randomly cropped, then transformed photos: (transform(uint8 [3, S, S]), label) by (index, seed).

    S is `augmentation.crop_size`, or else `model.input_size`. From memory, crops are cut out of a copy whose shorter side
    has `dataset.cache_size` pixels (about `cache_size * cache_size * 4` bytes per 4:3 photo); from disk, out of the file,
    whose JPEG is decoded no larger than the crop needs. Whatever is random comes from the item's seed; torch's own
    generator is left as it was.

    Raises:
        PhotoError: a file cannot be decoded.
    """

    def __init__(self, photos: Sequence[Photo], config: TrainingConfig, transform: Callable[[Tensor], Tensor]) -> None:
        self._photos = list(photos)
        self._transform = transform
        self._augmentation = config.augmentation
        self.side = config.augmentation.crop_size or config.model.input_size
        """Of the crops, pixels; may be set before an epoch."""
        self._cached: list[Tensor] | None = None
        if config.dataset.cache == "memory" or (
            config.dataset.cache == "auto" and fits_memory(len(photos), config.dataset.cache_size)
        ):
            self._cached = _decode(photos, config.dataset.cache_size)

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, key: Key) -> tuple[Tensor, int]:
        index, seed = key
        photo = self._photos[index]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            crop = self._from_file(photo) if self._cached is None else self._from_memory(self._cached[index])
            return self._transform(crop), photo.label

    def _box(self, width: int, height: int) -> Box:
        return draw_box(width, height, self._augmentation.crop_scale, self._augmentation.crop_ratio)

    def _from_memory(self, image: Tensor) -> Tensor:
        left, top, width, height = self._box(image.shape[-1], image.shape[-2])
        crop: Tensor = functional.resized_crop(
            image, top, left, height, width, [self.side, self.side], InterpolationMode.BILINEAR, antialias=True
        )
        return crop

    def _from_file(self, photo: Photo) -> Tensor:
        crop: Tensor = functional.pil_to_tensor(
            decode_crop(photo.path, lambda image: self._box(*upright_size(image)), self.side)
        )
        return crop


class EvaluationPhotos(Dataset[tuple[Tensor, int]]):
    """(transform(RGB photo), label) by index, each decoded whole from its original file when it is asked for.

    Raises:
        PhotoError: a file cannot be decoded.
    """

    def __init__(self, photos: Sequence[Photo], transform: Callable[[Image.Image], Tensor]) -> None:
        self._photos = list(photos)
        self._transform = transform

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(open_photo(self._photos[index].path)), self._photos[index].label


def _decode(photos: Sequence[Photo], size: int) -> list[Tensor]:
    with ThreadPoolExecutor(processors()) as pool:
        shrunk = pool.map(lambda photo: _shrunk(open_photo(photo.path), size), photos)
        return list(progress(shrunk, "Decoding", len(photos)))


def _shrunk(image: Image.Image, size: int) -> Tensor:
    scale = size / min(image.size)
    if scale < 1:
        image = image.resize(
            (round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC, reducing_gap=3.0
        )
    tensor: Tensor = functional.pil_to_tensor(image)
    return tensor
