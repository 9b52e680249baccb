"""Stratified split into training, validation and test photos that keeps near-duplicates together."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]
from sklearn.model_selection import StratifiedGroupKFold

from training.config.groups import DatasetConfig
from training.data.photos import Fingerprint, Photo
from training.errors import SplitError


@dataclass(frozen=True)
class Split:
    """Three disjoint lists of photos and the hash that says two members used the same ones."""

    train: list[Photo]
    validation: list[Photo]
    test: list[Photo]
    groups: int
    """Number of groups of near-duplicates, singles included."""

    @property
    def sizes(self) -> dict[str, int]:
        """Number of photos per part."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}

    @property
    def hash(self) -> str:
        """sha256 (hex) over part, image id and label of every photo."""
        lines = [
            f"{part}\t{photo.image_id}\t{photo.label}\n"
            for part in ("train", "validation", "test")
            for photo in sorted(getattr(self, part), key=lambda photo: photo.image_id)
        ]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def duplicate_groups(fingerprints: Sequence[Fingerprint], distance: int) -> NDArray[np.int32]:
    """Number the groups of photos that look alike.

    Args:
        fingerprints: N fingerprints.
        distance: largest Hamming distance of two perceptual hashes in one group, bits of 64. Chains count as one group.

    Returns:
        int32 [N], the group of each photo.
    """
    bits = np.stack([item.dhash for item in fingerprints]).astype(np.float32)
    ones = bits.sum(axis=1)
    rows, columns = [], []
    for start in range(0, len(bits), 1024):  # in blocks: all pairs of 21,000 photos would take 1.8 GB
        block = bits[start : start + 1024]
        hamming = block.sum(axis=1)[:, None] + ones[None, :] - 2 * block @ bits.T
        row, column = np.nonzero(hamming <= distance)
        rows.append(row + start)
        columns.append(column)
    row, column = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(row), dtype=np.int8), (row, column)), shape=(len(bits), len(bits)))
    labels: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return labels


def split_photos(photos: Sequence[Photo], fingerprints: Sequence[Fingerprint], config: DatasetConfig) -> Split:
    """Divide the photos; the same photos, labels and configuration always give the same split.

    Raises:
        SplitError: some class is too small to appear in every part.
    """
    groups = duplicate_groups(fingerprints, config.duplicate_distance)
    labels = np.array([photo.label for photo in photos])
    everything = np.arange(len(photos))
    rest, test = _take(everything, labels, groups, config.test_fraction, config.split_seed)
    fraction = config.validation_fraction / (1 - config.test_fraction)
    train, validation = _take(rest, labels, groups, fraction, config.split_seed)
    for part, indices in (("training", train), ("validation", validation), ("test", test)):
        if missing := sorted(set(labels.tolist()) - set(labels[indices].tolist())):
            raise SplitError(
                f"No photo of class {missing[0]} falls into the {part} part: add photos of it, or change "
                "dataset.test_fraction, dataset.validation_fraction or dataset.split_seed."
            )
    return Split(
        train=[photos[index] for index in train],
        validation=[photos[index] for index in validation],
        test=[photos[index] for index in test],
        groups=len(np.unique(groups)),
    )


def _take(
    indices: NDArray[np.int64], labels: NDArray[np.int64], groups: NDArray[np.int32], fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    folds = StratifiedGroupKFold(n_splits=round(1 / fraction), shuffle=True, random_state=seed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a class smaller than the folds: checked by the caller
            kept, taken = next(iter(folds.split(indices, labels[indices], groups[indices])))
    except ValueError as error:
        raise SplitError(f"{len(indices)} photos cannot be split by {fraction:.2f}: {error}") from error
    return indices[kept], indices[taken]
