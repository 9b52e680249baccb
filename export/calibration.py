"""How far probabilities can be believed, and how members are weighed: all fitted on validation photos.

Temperatures by negative log-likelihood (Guo et al. 2017, arXiv:1706.04599); weights of the mean by the expectation
maximisation of a mixture, whose likelihood they maximise exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.members import Member
from export.predictions import Predictions

Probabilities = NDArray[np.float64]
"""[photos, classes]"""
Labels = NDArray[np.int64]
"""[photos] true class indices"""
TEMPERATURES = (0.05, 20.0)
FOLDS = 5
WEIGHT_STEPS = 500
TINY = 1e-12


@dataclass(frozen=True)
class Calibration:
    """What turns the members' logits into the release's probabilities."""

    temperatures: tuple[float, ...]
    """Of each member's softmax; 1 where it has no validation photos."""
    weights: tuple[float, ...]
    """Of the members in the mean, summing to 1."""
    after_averaging: float = 1.0
    """Temperature of the mean; 1 unless validation photos say that the mean is the less calibrated for want of it."""

    def probabilities(self, stored: Sequence[Predictions]) -> Probabilities:
        """The release's probabilities for photos that every member has logits of."""
        each = [p.probabilities(t) for p, t in zip(stored, self.temperatures, strict=True)]
        return sharpen(np.average(each, axis=0, weights=self.weights), self.after_averaging)


def calibrate(members: Sequence[Member], weigh: str) -> Calibration:
    """Fit on the members' validation photos; equal weights and temperature 1 where there are none.

    Args:
        weigh: `equal` or `fitted` weights.
    """
    stored = [member.validation for member in members if member.validation is not None]
    equal = tuple(1 / len(members) for _ in members)
    if len(stored) != len(members):
        return Calibration(tuple(1.0 for _ in members), equal)
    temperatures = tuple(fit_temperature(p.probabilities(), p.labels) for p in stored)
    each = [p.probabilities(t) for p, t in zip(stored, temperatures, strict=True)]
    labels = stored[0].labels
    weights = fit_weights(each, labels) if weigh == "fitted" else equal
    mean = np.average(each, axis=0, weights=weights)
    after = fit_temperature(mean, labels) if pays(mean, labels) else 1.0
    return Calibration(temperatures, weights, after)


def sharpen(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Softmax of log-probabilities over a temperature; the same as of logits, which differ by a constant a photo."""
    logs = np.log(np.maximum(probabilities, TINY)) / temperature
    powered = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powered / powered.sum(axis=1, keepdims=True))


def losses(probabilities: Probabilities, labels: Labels) -> NDArray[np.float64]:
    """Negative log-likelihood of each photo's true class."""
    return np.asarray(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], TINY)))


def fit_temperature(probabilities: Probabilities, labels: Labels) -> float:
    """The temperature of least negative log-likelihood, by golden section; the loss is convex in 1 / temperature."""
    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    golden = (np.sqrt(5) - 1) / 2
    while high - low > 1e-6 * high:
        left, right = high - golden * (high - low), low + golden * (high - low)
        if (
            losses(sharpen(probabilities, 1 / left), labels).mean()
            < losses(sharpen(probabilities, 1 / right), labels).mean()
        ):
            high = right
        else:
            low = left
    return float(2 / (low + high))


def fit_weights(each: Sequence[Probabilities], labels: Labels) -> tuple[float, ...]:
    """The weights under which the mean makes the true classes likeliest; a member that adds nothing goes to zero."""
    truth = np.stack([p[np.arange(len(labels)), labels] for p in each]).clip(TINY)
    weights = np.full(len(each), 1 / len(each))
    for _ in range(WEIGHT_STEPS):
        shares = weights[:, None] * truth
        weights = (shares / shares.sum(axis=0)).mean(axis=1)
    return tuple(float(w) for w in weights)


def pays(probabilities: Probabilities, labels: Labels) -> bool:
    """Whether a temperature helps photos that it was not fitted on, by more than one standard error."""
    if len(labels) < 10 * FOLDS:
        return False
    folds = np.arange(len(labels)) % FOLDS
    gain = np.zeros(len(labels))
    for fold in range(FOLDS):
        inside, outside = folds != fold, folds == fold
        temperature = fit_temperature(probabilities[inside], labels[inside])
        before, after = probabilities[outside], sharpen(probabilities[outside], temperature)
        gain[outside] = losses(before, labels[outside]) - losses(after, labels[outside])
    return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))
