"""What a client must know about a release: classes, members, thresholds, limits, test figures."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.members import Member
from export.thresholds import prediction_set_probability

LIMITS = {"max_bytes": 20 * 1024 * 1024, "max_pixels": 64 * 1024 * 1024, "min_side": 32, "max_aspect_ratio": 8}
"""What the gateway accepts: encoded bytes, pixels, pixels of the shorter side, longer side over shorter."""


def release_facts(number: int, members: list[Member], weights: list[float], coverage: float) -> dict[str, Any]:
    """The facts by parameter name of the ensemble; each value becomes JSON.

    Args:
        number: of the release.
        weights: of the members in the mean, any scale.
        coverage: share of prediction sets that shall hold the true class.
    """
    first = members[0]
    return {
        "release": number,
        "task": first.classes["task"],
        "crop": first.classes.get("crop", {}),
        "languages": first.classes.get("languages", ["en"]),
        "classes": first.classes["classes"],
        "members": [
            {"name": member.name, "architecture": member.architecture, "output": member.answer} for member in members
        ],
        "weights": [weight / sum(weights) for weight in weights],
        "thresholds": _thresholds(members, weights, coverage),
        "limits": LIMITS,
        "metrics": _test_metrics(members, weights),
    }


def _thresholds(members: list[Member], weights: list[float], coverage: float) -> dict[str, float | None]:
    mean = _mean_probabilities(members, weights, "validation")
    if mean is None:
        return {"coverage": None, "prediction_set_probability": None}
    return {"coverage": coverage, "prediction_set_probability": prediction_set_probability(*mean, coverage)}


def _test_metrics(members: list[Member], weights: list[float]) -> dict[str, Any]:
    """Of the averaged probabilities on photos never seen; empty where a member was not evaluated."""
    mean = _mean_probabilities(members, weights, "test")
    if mean is None:
        return {}
    probabilities, labels = mean
    predicted = probabilities.argmax(axis=1)
    classes = range(probabilities.shape[1])
    hits = np.array([((predicted == c) & (labels == c)).sum() for c in classes])
    named = np.array([(predicted == c).sum() + (labels == c).sum() for c in classes])
    present = np.array([(labels == c).sum() for c in classes])
    return {
        "test_photos": len(labels),
        "accuracy_micro": round(float((predicted == labels).mean()), 4),
        "f1_macro": round(float((2 * hits / np.maximum(named, 1)).mean()), 4),
        "recall_by_class": [round(float(hit / max(count, 1)), 4) for hit, count in zip(hits, present, strict=True)],
    }


def _mean_probabilities(
    members: list[Member], weights: list[float], part: str
) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    stored = [getattr(member, part) for member in members]
    if any(predictions is None for predictions in stored):
        return None
    mean = np.average([predictions.probabilities() for predictions in stored], axis=0, weights=weights)
    return mean, stored[0].labels
