"""When to accept an answer: conformal prediction sets from photos that no answering network trained on.

Method: least ambiguous set-valued classifiers, Sadinle, Lei and Wasserman 2019 (arXiv:1609.00451): with `t` the
k-th smallest probability of the true class over n validation photos, k = floor((n + 1)(1 - coverage)), the set of
classes with probability >= t holds the true class of a new photo with probability >= coverage.

On out-of-fold answers it follows cross-conformal prediction (Vovk 2015, "Cross-conformal predictors"; CV+, Barber et al. 2021,
arXiv:1905.02928): the n photos, all but the test photos, are answered by networks of the same recipe, one for each fold. CV+
proves coverage 1 - 2 (1 - coverage) less a term that vanishes with n, where the folds' networks answer the new photo too;
here one network of the recipe does, for which nothing is proved and coverage is measured on test photos. What is gained
is that a threshold from many photos scatters less.
"""

import math

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-9
"""100 * (1 - 0.9) is a little less than 10."""


def prediction_set_probability(probabilities: NDArray[np.float64], labels: NDArray[np.int64], coverage: float) -> float:
    """Smallest probability at which a class belongs to the prediction set.

    Args:
        probabilities: [photos, classes], each photo's by networks that never trained on it.
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
