"""When to accept an answer: split-conformal prediction sets from validation photos.

Method: least ambiguous set-valued classifiers, Sadinle, Lei and Wasserman 2019 (arXiv:1609.00451): with `t` the
k-th smallest probability of the true class over n validation photos, k = floor((n + 1)(1 - coverage)), the set of
classes with probability >= t holds the true class of a new photo with probability >= coverage.
"""

import math

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-9
"""100 * (1 - 0.9) is a little less than 10."""


def prediction_set_probability(probabilities: NDArray[np.float64], labels: NDArray[np.int64], coverage: float) -> float:
    """Smallest probability at which a class belongs to the prediction set.

    Args:
        probabilities: [photos, classes] of photos never trained on.
        labels: [photos] true class indices.
        coverage: wanted share of sets that hold the truth, in (0, 1).

    Returns:
        The threshold; 0 (every class belongs) where there are too few photos to promise the coverage.
    """
    truth = np.sort(probabilities[np.arange(len(labels)), labels])
    k = math.floor((len(truth) + 1) * (1 - coverage) + ROUNDING)
    return float(truth[k - 1]) if k >= 1 else 0.0


def coverage_of(probabilities: NDArray[np.float64], labels: NDArray[np.int64], threshold: float) -> float:
    """Share of photos whose true class reaches the threshold."""
    return float((probabilities[np.arange(len(labels)), labels] >= threshold).mean())
