"""Stratified division of the photos, kept in one piece wherever photos look alike: hold-out and cross-validation."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from training.config.groups import DatasetConfig
from training.data.dataset import Dataset
from training.data.groups import duplicate_groups
from training.data.photos import Photo
from training.data.split_files import Split, read_split, write_split
from training.errors import SplitError

log = logging.getLogger(__name__)

__all__ = ["Split", "fold_splits", "read_split", "split_dataset", "write_split"]

Indices = NDArray[np.int64]


def split_dataset(dataset: Dataset, config: DatasetConfig) -> Split:
    """Divide the photos as a split file says, else by chance; the same photos and configuration give the same split.

    Raises:
        SplitError: some class is too small to appear in every part, too many photos look alike, there is nothing to
            test on, or the split file is of other photos.
    """
    if config.split_file:
        return read_split(Path(config.split_file), dataset)
    plan = _Plan(dataset, config)
    rest, test, left_out = plan.untouched()
    if not len(test):
        raise SplitError("dataset.test_fraction is 0 and there is no test folder: nothing would be left to test on.")
    fraction = config.validation_fraction / (1 - (0 if dataset.test_ids else config.test_fraction))
    plan.refuse_chains(rest if dataset.test_ids else np.arange(len(plan.labels)), config)
    train, validation = next(plan.divisions(rest, plan.share(rest, fraction)))
    return plan.split(train, validation, test, left_out)


def fold_splits(dataset: Dataset, config: DatasetConfig) -> list[Split]:
    """k-fold cross-validation of everything but the test photos.

    Returns:
        `config.folds` splits with the same test photos (none where `test_fraction` is 0 and there is no test folder); each
        other photo is in exactly one validation part.

    Raises:
        SplitError: as `split_dataset`.
    """
    plan = _Plan(dataset, config)
    rest, test, left_out = plan.untouched()
    plan.refuse_chains(rest, config, 1 / config.folds)
    return [
        plan.split(train, validation, test, left_out)
        for train, validation in plan.divisions(rest, Fraction(1, config.folds))
    ]


class _Plan:
    """Labels and groups of all photos, and the ways to divide some of them."""

    def __init__(self, dataset: Dataset, config: DatasetConfig) -> None:
        self._dataset = dataset
        self._config = config
        self.labels: Indices = np.array([photo.label for photo in dataset.photos], dtype=np.int64)
        self.groups = duplicate_groups(
            dataset.fingerprints, config.duplicate_distance, _named(dataset.photos, config.group_pattern)
        )

    def untouched(self) -> tuple[Indices, Indices, Indices]:
        """Indices of the photos to learn and select with, to test on, and to leave out."""
        everything = np.arange(len(self.labels))
        if ids := self._dataset.test_ids:
            own = np.array([photo.image_id in ids for photo in self._dataset.photos])
            alike = np.isin(self.groups, self.groups[own]) & ~own
            self._refuse_likeness(int(alike.sum()), int((~own).sum()))
            return everything[~own & ~alike], everything[own], everything[alike]
        if not self._config.test_fraction:
            return everything, everything[:0], everything[:0]
        self.refuse_chains(everything, self._config)
        rest, test = next(self.divisions(everything, self.share(everything, self._config.test_fraction)))
        return rest, test, everything[:0]

    def _refuse_likeness(self, alike: int, photos: int) -> None:
        """Raise where more training photos look like test photos than are held out to validate; else say how many do."""
        config = self._config
        if alike > config.validation_fraction * photos:
            raise SplitError(
                f"{alike} of {photos} training photos are joined with photos of the test folder and would be left out. Lower "
                f"dataset.duplicate_distance (now {config.duplicate_distance} of 64 bits; 0 joins only photos whose hashes are "
                "equal) where the pictures are alike by nature, as cells and scans are; where dataset.group_pattern "
                f"(now {config.group_pattern!r}) joins the folders, empty it, or empty dataset.test_subfolder."
            )
        if alike:
            log.warning("left out of training, too much like photos of the test folder: %d", alike)

    def refuse_chains(self, indices: Indices, config: DatasetConfig, share: float | None = None) -> None:
        """Raise where one group is larger than all that is to be held out."""
        if share is None:
            share = config.validation_fraction + (0 if self._dataset.test_ids else config.test_fraction)
        largest = int(np.bincount(self.groups[indices]).max(initial=0))
        if largest > max(2, share * len(indices)):
            named = f" and what dataset.group_pattern {config.group_pattern!r} joins" if config.group_pattern else ""
            raise SplitError(
                f"{largest} of {len(indices)} photos form one chain of near-duplicates{named}, more than the "
                f"{share:.0%} that are held out: such a split would measure nothing. Lower dataset.duplicate_distance "
                f"(now {config.duplicate_distance} of 64 bits; 0 joins only photos whose hashes are equal) where the "
                "pictures are alike by nature, as cells and scans are; else remove the copies. `explore` shows them."
            )

    def share(self, indices: Indices, fraction: float) -> Fraction:
        """The fraction as whole folds: at most ten, and no more than the largest class has photos."""
        most = int(np.bincount(self.labels[indices]).max(initial=1))
        if fraction < 0.1:
            return Fraction(1, min(round(1 / fraction), most))
        most = min(10, most)
        return max(Fraction(fraction).limit_denominator(most), Fraction(1, most))

    def divisions(self, indices: Indices, share: Fraction) -> Iterator[tuple[Indices, Indices]]:
        """Divide into (kept, taken), once per fold; a share such as 3/10 takes several of ten folds together."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a class smaller than the folds: checked by the caller
                folds = StratifiedGroupKFold(share.denominator, shuffle=True, random_state=self._config.split_seed)
                parts = [part for _, part in folds.split(indices, self.labels[indices], self.groups[indices])]
        except ValueError as error:
            raise SplitError(f"{len(indices)} photos cannot be split by {float(share):.2f}: {error}") from error
        for start in range(0, share.denominator - share.numerator + 1, share.numerator):
            taken = np.sort(np.concatenate(parts[start : start + share.numerator]))
            yield np.delete(indices, taken), indices[taken]

    def split(self, train: Indices, validation: Indices, test: Indices, left_out: Indices) -> Split:
        """The split of these indices, checked for empty classes."""
        everywhere = {"training": train, "validation": validation} | ({"test": test} if len(test) else {})
        for part, indices in everywhere.items():
            if missing := sorted(set(range(len(self._dataset.task.classes))) - set(self.labels[indices].tolist())):
                raise SplitError(
                    f"No photo of class {missing[0]} ({self._dataset.task.classes[missing[0]].key}) falls into the "
                    f"{part} part: add photos of it, or change dataset.test_fraction, dataset.validation_fraction or "
                    "dataset.split_seed."
                )
        photos = self._dataset.photos
        return Split(
            train=[photos[index] for index in train],
            validation=[photos[index] for index in validation],
            test=[photos[index] for index in test],
            groups=len(np.unique(self.groups)),
            left_out=[photos[index] for index in left_out],
        )


def _named(photos: Sequence[Photo], pattern: str) -> list[str] | None:
    """What the pattern finds in each image id: photos of one name stay together."""
    if not pattern:
        return None
    found = [re.search(pattern, photo.image_id) for photo in photos]
    if lacking := [photo.image_id for photo, match in zip(photos, found, strict=True) if match is None]:
        raise SplitError(
            f"dataset.group_pattern {pattern!r} finds nothing in {len(lacking)} image ids, such as {lacking[0]}: correct it."
        )
    return [match.group(match.re.groups and 1) or "" for match in found if match]
