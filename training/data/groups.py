"""Groups of photos that must not be divided: near-duplicates, and shots of one thing by their file names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

from training.data.photos import Fingerprint

_BLOCK = 1024  # photos compared at once: all pairs of 21,000 would take 1.8 GB


def near_pairs(fingerprints: Sequence[Fingerprint], distance: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of photos whose 64-bit perceptual hashes differ in at most `distance` bits.

    Returns:
        Two int64 arrays [P], first and second of each pair; the first is the smaller.
    """
    bits = np.stack([item.dhash for item in fingerprints]).astype(np.float32)
    ones = bits.sum(axis=1)
    firsts, seconds = [], []
    for start in range(0, len(bits), _BLOCK):
        block = bits[start : start + _BLOCK]
        hamming = block.sum(axis=1)[:, None] + ones[None, start:] - 2 * block @ bits[start:].T
        first, second = np.nonzero(hamming <= distance)
        firsts.append(first[first < second] + start)
        seconds.append(second[first < second] + start)
    return np.concatenate(firsts), np.concatenate(seconds)


def hamming(
    fingerprints: Sequence[Fingerprint], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Differing bits of each pair's perceptual hashes, int64 [P], 0 to 64."""
    bits = np.packbits(np.stack([item.dhash for item in fingerprints]), axis=1)
    apart: NDArray[np.int64] = np.bitwise_count(bits[first] ^ bits[second]).sum(axis=1, dtype=np.int64)
    return apart


def duplicate_groups(
    fingerprints: Sequence[Fingerprint], distance: int, names: Sequence[str] | None = None
) -> NDArray[np.int32]:
    """Number the groups of photos that stay together.

    Args:
        fingerprints: N fingerprints.
        distance: largest Hamming distance of two perceptual hashes in one group, bits of 64. Chains count as one group.
        names: N names; photos of the same name are in one group too.

    Returns:
        int32 [N], the group of each photo.
    """
    first, second = near_pairs(fingerprints, distance)
    if names is not None:
        _, number, leaders = np.unique(np.asarray(names), return_index=True, return_inverse=True)
        first = np.concatenate([first, np.arange(len(names))])
        second = np.concatenate([second, number[leaders]])
    count = len(fingerprints)
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count, count))
    labels: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return labels
