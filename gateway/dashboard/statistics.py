"""Shares with their uncertainty, and percentiles."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_Z_95 = 1.959963984540054


def wilson_interval(hits: int, of: int) -> tuple[float, float]:
    """95 % interval of a share, without a continuity correction (Wilson 1927).

    It stays within 0 and 1 and is not empty at shares of 0 or 1, where the usual normal approximation is.

    Raises:
        ValueError: `of` is 0, or `hits` are not between 0 and `of`.
    """
    if not 0 <= hits <= of or of == 0:
        raise ValueError(f"no share: {hits} of {of}")
    share, z2 = hits / of, _Z_95 * _Z_95
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z_95 / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == of else middle + half)


def percentiles(values: NDArray[np.float64], ranks: Sequence[float]) -> list[float | None]:
    """Percentiles of the values that are there (not NaN), linear between neighbours; None where there is no value."""
    present = values[~np.isnan(values)]
    if present.size == 0:
        return [None] * len(ranks)
    return [round(float(value), 2) for value in np.percentile(present, ranks)]
