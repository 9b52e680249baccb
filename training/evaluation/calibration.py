"""How far a network's probabilities can be believed: temperature scaling (Guo et al. 2017, arXiv:1706.04599).

The temperature is fitted on validation photos and judged on test photos; it changes no prediction, only confidence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar  # type: ignore[import-untyped]
from scipy.special import log_softmax, softmax  # type: ignore[import-untyped]

from training.evaluation.resampling import BINS, bins_of, calibration_errors, resample, shifted_interval

TEMPERATURES = (0.05, 20.0)

Probabilities = NDArray[np.float64]
"""[N, C], rows sum to 1."""


def fit_temperature(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> float:
    """The temperature of least negative log-likelihood, within 0.05 to 20; 1 without photos.

    Args:
        logits: [N, C]; log-probabilities do as well.
        labels: int64 [N].
    """
    if not len(labels):
        return 1.0
    exact = np.asarray(logits, dtype=np.float64)
    low, high = TEMPERATURES  # the loss is convex in 1 / temperature
    found = minimize_scalar(
        lambda inverse: negative_log_likelihood(log_softmax(exact * inverse, axis=1), labels),
        bounds=(1 / high, 1 / low),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(1 / found.x)


def scaled(logits: NDArray[np.floating[Any]], temperature: float) -> Probabilities:
    """Softmax of logits [N, C] over a temperature, float64."""
    probabilities: Probabilities = softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1)
    return probabilities


def negative_log_likelihood(log_probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean over photos, in nats, of log-probabilities [N, C]."""
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def calibration_figures(probabilities: Probabilities, labels: NDArray[np.int64]) -> dict[str, Any]:
    """ECE with its interval, negative log-likelihood, and the bins that a reliability diagram draws; JSON-ready."""
    bins = reliability(probabilities, labels)
    error = sum(row["photos"] * abs(row["accuracy"] - row["confidence"]) for row in bins) / len(labels)
    drawn = resample(len(labels), lambda draws: calibration_errors(probabilities, labels, draws))
    tiny = np.finfo(np.float64).tiny
    return {
        f"ece_{BINS}_bins_l1": error,
        f"ece_{BINS}_bins_l1_interval": shifted_interval(drawn, error),
        "negative_log_likelihood_mean": negative_log_likelihood(np.log(np.maximum(probabilities, tiny)), labels),
        "confidence_mean": float(probabilities.max(axis=1).mean()),
        "bins": bins,
    }


def reliability(probabilities: Probabilities, labels: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Mean confidence and accuracy of the photos in each of `BINS` equal bins of confidence; empty bins left out."""
    confidence, place = probabilities.max(axis=1), bins_of(probabilities)
    hits = probabilities.argmax(axis=1) == labels
    return [
        {
            "from": index / BINS,
            "to": (index + 1) / BINS,
            "photos": int((place == index).sum()),
            "confidence": float(confidence[place == index].mean()),
            "accuracy": float(hits[place == index].mean()),
        }
        for index in range(BINS)
        if (place == index).any()
    ]
