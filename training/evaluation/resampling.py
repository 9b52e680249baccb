"""Percentile bootstrap over photos (Efron 1979), alone or paired: what other photos of the same kind would have given.

All intervals come from the same draws, so that those of two models on the same photos can be subtracted draw by draw.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata  # type: ignore[import-untyped]

LEVEL = 0.95
RESAMPLES = 2000
BINS = 15
_BLOCK = 2_000_000  # drawn photos at a time: bounds the memory of large test sets

Draws = NDArray[np.int64]
"""[B, N] positions of drawn photos, one row per resample."""
Values = NDArray[np.float64]
Statistic = Callable[[Draws], Values]
"""From draws [B, N] to one value per resample, [B]."""


def resample(photos: int, statistic: Statistic) -> Values:
    """The statistic of every resample, float64 [RESAMPLES], with a fixed seed."""
    random = np.random.default_rng(0)
    rows = max(1, _BLOCK // photos)
    blocks = [min(rows, RESAMPLES - start) for start in range(0, RESAMPLES, rows)]
    return np.concatenate([statistic(random.integers(photos, size=(size, photos))) for size in blocks])


def interval(values: Values) -> list[float]:
    """[low, high] between which `LEVEL` of the values lie; resamples in which the figure is not defined are left out."""
    low, high = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [float(low), float(high)]


def shifted_interval(values: Values, estimate: float) -> list[float]:
    """As `interval`, moved by the resamples' mean deviation from the estimate and not below 0.

    For figures such as the calibration error: a mean of absolute values, which drawing again makes larger.
    """
    low, high = interval(values - (values.mean() - estimate))
    return [max(0.0, low), high]


def confusions(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: int, draws: Draws
) -> NDArray[np.int64]:
    """int64 [B, C, C] photos by truth (rows) and prediction (columns) of every resample."""
    cells = labels[draws] * classes + predicted[draws]
    offset = np.arange(len(draws))[:, None] * classes**2
    counts = np.bincount((cells + offset).ravel(), minlength=len(draws) * classes**2)
    return counts.reshape(len(draws), classes, classes)


def f1_macro(confusion: NDArray[np.int64]) -> Values:
    """Mean F1 of confusions [..., C, C] over the classes that have photos."""
    hits, photos = np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-1)
    f1 = np.divide(2.0 * hits, photos + confusion.sum(axis=-2), out=np.full(hits.shape, np.nan), where=photos > 0)
    return np.asarray(np.nanmean(f1, axis=-1))


def recall_macro(confusion: NDArray[np.int64]) -> Values:
    """Mean recall of confusions [..., C, C] over the classes that have photos."""
    hits, photos = np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-1)
    return np.asarray(np.nanmean(np.divide(hits, photos, out=np.full(hits.shape, np.nan), where=photos > 0), axis=-1))


def precision_macro(confusion: NDArray[np.int64]) -> Values:
    """Mean precision of confusions [..., C, C] over the classes that have photos; 0 where never predicted."""
    hits, predicted = np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-2)
    has = confusion.sum(axis=-1) > 0
    precision = np.divide(hits, predicted, out=np.where(has, 0.0, np.nan), where=has & (predicted > 0))
    return np.asarray(np.nanmean(precision, axis=-1))


def accuracy(confusion: NDArray[np.int64]) -> Values:
    """Share of photos on the diagonal of confusions [..., C, C]."""
    return np.asarray(np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1)))


def calibration_errors(probabilities: Values, labels: NDArray[np.int64], draws: Draws) -> Values:
    """Expected calibration error, `BINS` bins, l1 (Guo et al. 2017), of every resample."""
    confidence, place = probabilities.max(axis=1), bins_of(probabilities)
    gap = (probabilities.argmax(axis=1) == labels) - confidence
    offset = np.arange(len(draws))[:, None] * BINS
    sums = np.bincount(
        (place[draws] + offset).ravel(), weights=gap[draws].ravel(), minlength=len(draws) * BINS
    ).reshape(len(draws), BINS)
    return np.asarray(np.abs(sums).sum(axis=1) / draws.shape[1])


def bins_of(probabilities: Values) -> NDArray[np.int64]:
    """int64 [N] which of `BINS` equal bins the largest probability falls into."""
    return np.asarray(np.minimum(probabilities.max(axis=1) * BINS, BINS - 1), dtype=np.int64)


def auc_one_vs_rest(scores: Values, positive: NDArray[np.bool_]) -> float | None:
    """Area under the ROC curve of scores [N] as a rank statistic (Mann and Whitney 1947); None where a side is empty."""
    ones = int(positive.sum())
    if not 0 < ones < len(positive):
        return None
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * (len(positive) - ones)))


def auc_macro(scores: Values, labels: NDArray[np.int64], draws: Draws) -> Values:
    """Mean one-vs-rest AUC of every resample over the classes that occur in it, NaN where only one does; scores [N, C]."""
    classes = scores.shape[1]
    offset = np.arange(len(draws))[:, None] * len(labels)
    weights = np.bincount((draws + offset).ravel(), minlength=draws.size).reshape(draws.shape).astype(np.float64)
    areas = np.full((classes, len(draws)), np.nan)
    for label in range(classes):
        order = np.argsort(scores[:, label])
        ordered, positive = scores[order, label], labels[order] == label
        mine = weights[:, order]
        others = np.zeros((len(draws), len(labels) + 1))
        np.cumsum(mine * ~positive, axis=1, out=others[:, 1:])
        first = np.searchsorted(ordered, ordered[positive], "left")  # ties count half
        last = np.searchsorted(ordered, ordered[positive], "right")
        above = (others[:, first] + others[:, last]) / 2
        pairs = mine[:, positive].sum(axis=1) * others[:, -1]
        wins = (mine[:, positive] * above).sum(axis=1)
        np.divide(wins, pairs, out=areas[label], where=pairs > 0)
    known = (~np.isnan(areas)).sum(axis=0)
    return np.asarray(np.divide(np.nansum(areas, axis=0), known, out=np.full(len(draws), np.nan), where=known > 0))
