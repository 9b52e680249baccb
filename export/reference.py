"""What a release answers on its validation photos, for whoever watches how far later answers drift from that."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from export.calibration import Probabilities


def reference_figures(probabilities: Probabilities, thresholds: Mapping[str, float | None]) -> dict[str, Any]:
    """Shares of classes and decisions, and the mean confidence, of photos that were never trained on.

    Args:
        probabilities: [photos, classes] of the release.
        thresholds: `prediction_set_probability` as clients get it; None or 0 accepts nothing alone.

    Returns:
        `photos`, `class_shares` in class order, `confidence_mean` of the likeliest class, `decision_shares` by decision.
    """
    photos, classes = probabilities.shape
    least = thresholds["prediction_set_probability"] or 0.0
    plausible = (probabilities >= least).sum(axis=1)
    decisions = {"accepted": plausible == 1, "uncertain": plausible > 1, "rejected": plausible == 0}
    shares = np.bincount(probabilities.argmax(axis=1), minlength=classes) / photos
    return {
        "photos": photos,
        "class_shares": [round(float(share), 4) for share in shares],
        "confidence_mean": round(float(probabilities.max(axis=1).mean()), 4),
        "decision_shares": {name: round(float(are.mean()), 4) for name, are in decisions.items()},
    }
