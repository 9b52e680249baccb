"""Knowing when a photo is not of the trained kind: one score from statistics of all members' inner feature maps.

The score is the logarithm of a Mahalanobis distance to leaves never trained on (Lee et al. 2018, arXiv:1807.03888), with
the covariance shrunk as Ledoit and Wolf (2004) do. Where pictures of other things are given, a linear direction that
parts them from leaves (ridge regression) is added, both in units of how far leaves scatter. Inner feature maps tell
strangers better than the last one, which keeps only what parts the classes from one another.

Leaves are taken twice, as they are and as small as thumbnails, so that size and blur alone make no stranger.
"""

from dataclasses import dataclass, replace
from math import comb

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]
"""[photos, features]"""
SMALLEST_DEVIATION = 0.02
"""A feature that hardly varies among leaves counts as varying by this."""
RIDGE = 1.0
FOLDS = 10
CONFIDENCE = 0.8
FEWEST_LEAVES = 30
MEAN_SCALE = 10.0
DEVIATION_OFFSET = 0.01


@dataclass(frozen=True)
class OutlierModel:
    """What the averaging step computes the score from; arrays are float64 and become float32 in the graph."""

    centre: Vectors
    """[features] mean of leaves"""
    deviation: Vectors
    """[features] standard deviation of leaves"""
    axes: Vectors
    """[features, axes] principal axes of standardised leaves"""
    variances: Vectors
    """[axes] shrunk variance along each"""
    rest: float
    """Shrunk variance along every other direction"""
    direction: Vectors | None
    """[features] towards other things; None where no pictures of them were given"""
    distance: tuple[float, float] = (0.0, 1.0)
    """Median and spread of unseen leaves' log distance"""
    side: tuple[float, float] = (0.0, 1.0)
    """Median and spread of unseen leaves along the direction"""
    threshold: float = float("inf")
    """Above it a picture is refused"""

    def parts(self, vectors: Vectors) -> tuple[Vectors, Vectors]:
        """Log distance and place along the direction, [photos] each."""
        standard = (vectors - self.centre) / self.deviation
        along = standard @ self.axes
        beside = standard - along @ self.axes.T
        distance = np.log((along**2 / self.variances).sum(axis=1) + (beside**2).sum(axis=1) / self.rest)
        return distance, np.zeros(len(vectors)) if self.direction is None else standard @ self.direction

    def score(self, vectors: Vectors) -> Vectors:
        """[photos]; larger is stranger."""
        return self.combine(*self.parts(vectors))

    def combine(self, distance: Vectors, side: Vectors) -> Vectors:
        """Both parts in units of how far leaves scatter."""
        score = (distance - self.distance[0]) / self.distance[1]
        return score if self.direction is None else score + (side - self.side[0]) / self.side[1]


def features(statistics: NDArray[np.floating]) -> Vectors:
    """A member's statistics on a scale on which leaves scatter evenly: [photos, 2 x channels] to the same shape."""
    channels = statistics.shape[1] // 2
    means = np.arcsinh(statistics[:, :channels].astype(np.float64) * MEAN_SCALE)
    return np.concatenate([means, np.log(statistics[:, channels:].astype(np.float64) + DEVIATION_OFFSET)], axis=1)


def fit(leaves: Vectors, photo: NDArray[np.int64], strangers: Vectors | None, refused: float) -> OutlierModel:
    """Fit the score, and the threshold by cross-validation over photos.

    Args:
        leaves: [rows, features]; several rows may be views of one photo.
        photo: [rows] which photo each row is of.
        strangers: [pictures, features] of other things, or None.
        refused: share of unseen leaves that may be refused.
    """
    distance, side = np.zeros(len(leaves)), np.zeros(len(leaves))
    for fold in range(FOLDS):
        inside = photo % FOLDS != fold
        distance[~inside], side[~inside] = _shape(leaves[inside], strangers).parts(leaves[~inside])
    model = replace(_shape(leaves, strangers), distance=_scale(distance), side=_scale(side))
    # a photo is as strange as the stranger of its views
    scores = model.combine(distance, side)
    worst = np.array([scores[photo == p].max() for p in np.unique(photo)])
    return replace(model, threshold=tolerance_limit(worst, refused))


def tolerance_limit(scores: Vectors, refused: float) -> float:
    """The lowest score that, with 80 % confidence, no more than a share `refused` of unseen leaves exceeds.

    By order statistics (Wilks 1941); the largest score where there are too few for that confidence.
    """
    count = len(scores)
    ordered = np.sort(scores)
    above, chance = 0, (1 - refused) ** count
    while above + 1 < count:
        following = chance + comb(count, above + 1) * refused ** (above + 1) * (1 - refused) ** (count - above - 1)
        if following > 1 - CONFIDENCE:
            break
        above, chance = above + 1, following
    return float(ordered[count - 1 - above])


def _scale(values: Vectors) -> tuple[float, float]:
    """Median and standard deviation; a spread of zero counts as one."""
    return float(np.median(values)), float(values.std()) or 1.0


def _shape(leaves: Vectors, strangers: Vectors | None) -> OutlierModel:
    centre = leaves.mean(axis=0)
    deviation = np.maximum(leaves.std(axis=0), SMALLEST_DEVIATION)
    standard = (leaves - centre) / deviation
    shrinkage, mean_variance = _ledoit_wolf(standard)
    values, left = np.linalg.eigh(standard @ standard.T)
    kept = values > 1e-8 * values[-1]
    values, left = values[kept], left[:, kept]
    axes = standard.T @ left / np.sqrt(values)
    variances = (1 - shrinkage) * values / len(leaves) + shrinkage * mean_variance
    direction = None if strangers is None else _ridge(standard, (strangers - centre) / deviation)
    return OutlierModel(centre, deviation, axes, variances, shrinkage * mean_variance, direction)


def _ledoit_wolf(standard: Vectors) -> tuple[float, float]:
    """Shrinkage towards a multiple of the identity, and that multiple; through the photos' inner products alone."""
    count, width = standard.shape
    squared = (standard**2).sum(axis=1)
    mean_variance = squared.sum() / count / width
    covariance = ((standard @ standard.T) ** 2).sum() / count**2
    spread = (covariance - width * mean_variance**2) / width
    noise = ((squared**2).sum() / count - covariance) / (width * count)
    return float(np.clip(noise / max(spread, 1e-12), 0.01, 1.0)), float(mean_variance)


def _ridge(leaves: Vectors, strangers: Vectors) -> Vectors:
    """Direction from leaves to strangers; both groups weigh the same."""
    rows = np.concatenate([leaves, strangers])
    target = np.concatenate([-np.ones(len(leaves)), np.ones(len(strangers))])
    share = np.concatenate([np.full(len(leaves), 0.5 / len(leaves)), np.full(len(strangers), 0.5 / len(strangers))])
    weighted = (rows - share @ rows) * np.sqrt(share)[:, None]
    inner = weighted @ weighted.T
    ridge = RIDGE * np.trace(inner) / 100
    solved = np.linalg.solve(inner + ridge * np.eye(len(inner)), (target - share @ target) * np.sqrt(share))
    return np.asarray(weighted.T @ solved)
