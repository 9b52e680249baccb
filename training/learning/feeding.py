"""Batches of training and validation photos for each device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from training.config.groups import TrainingConfig
from training.data.loading import EpochSampler, EvaluationPhotos, TrainingPhotos
from training.data.split import Split
from training.learning.augmentation import TrainingTransform
from training.learning.losses import class_weights

KEPT = 512 * 2**20
"""Bytes of transformed validation photos that are kept in memory from epoch to epoch."""


class Feed:
    """Training photos by epoch, and validation photos as they will be served.

    Args:
        config: crops, augmentation, batch size, balance, workers.
        split: its training and validation parts.
        classes: number of classes.
        evaluate: transform of a validation photo, RGB to float32 [3, S, S].
        replicas: devices that share the photos.
        rank: which of them this one is.
        pinned: copy batches to page-locked memory on the way, for a GPU.

    Raises:
        PhotoError: a file cannot be decoded.
    """

    def __init__(
        self,
        config: TrainingConfig,
        split: Split,
        classes: int,
        evaluate: Callable[[Image.Image], Tensor],
        replicas: int = 1,
        rank: int = 0,
        pinned: bool = False,
    ) -> None:
        labels = [photo.label for photo in split.train]
        number = Counter(labels)
        self.counts = [number[label] for label in range(classes)]
        """Training photos of each class."""
        self._batch_size, self._epochs = config.schedule.batch_size, config.schedule.epochs
        self._sides = config.augmentation.progressive
        self._options: dict[str, Any] = {"num_workers": config.dataset.workers, "pin_memory": pinned}
        self._transform = TrainingTransform(config.augmentation, config.model)
        self._photos = TrainingPhotos(split.train, config, self._transform)
        weights = None
        if config.loss.balance == "sampler":
            weights = class_weights(self.counts, config.loss.balance_power)[labels].tolist()
        self._sampler = EpochSampler(len(labels), config.schedule.seed, weights, replicas, rank)
        # One photo left over would leave batch norm without a variance; a set smaller than one batch is kept whole.
        self._drop_last = len(self._sampler) > self._batch_size
        own = range(rank, len(split.validation), replicas)
        validation = Subset(EvaluationPhotos(split.validation, evaluate), list(own))
        self._validation: Any = validation
        if len(own) * 3 * config.model.input_size**2 * 4 <= KEPT:
            self._validation = [validation[index] for index in range(len(own))]

    @property
    def batches(self) -> int:
        """Training batches per epoch and device."""
        size = len(self._sampler)
        return size // self._batch_size if self._drop_last else -(-size // self._batch_size)

    def training(self, epoch: int, clean: bool) -> DataLoader[tuple[Tensor, Tensor]]:
        """Batches (float32 [N, 3, S, S], int64 [N]) of an epoch, from 0.

        Args:
            epoch: decides order and augmentation, together with the seed.
            clean: leave the erasing out.
        """
        self._sampler.set_epoch(epoch)
        if self._sides:
            self._photos.side = self._sides[min(len(self._sides) - 1, epoch * len(self._sides) // self._epochs)]
        self._transform.clean = clean
        return DataLoader(
            self._photos,  # type: ignore[arg-type]  # its items are asked for by (index, seed)
            self._batch_size,
            sampler=self._sampler,
            drop_last=self._drop_last,
            **self._options,
        )

    def validation(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Batches (float32 [N, 3, S, S], int64 [N]) of this device's share, each photo once."""
        workers = 0 if isinstance(self._validation, list) else self._options["num_workers"]
        return DataLoader(self._validation, self._batch_size, num_workers=workers)
