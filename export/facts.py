"""What a client must know about a release: classes, members, thresholds, limits, test figures."""

from collections.abc import Sequence
from typing import Any

from export.calibration import Calibration, Labels, Probabilities
from export.configuration import OUTLIER_SCORE
from export.figures import Answers, accuracy, calibration_error, f1_macro, recalls
from export.members import Member
from export.reference import reference_figures
from export.thresholds import coverage_of, prediction_set_probability

LIMITS = {"max_bytes": 20 * 1024 * 1024, "max_pixels": 64 * 1024 * 1024, "min_side": 32, "max_aspect_ratio": 8}
"""What the gateway accepts: encoded bytes, pixels, pixels of the shorter side, longer side over shorter."""


def release_facts(
    number: int,
    members: Sequence[Member],
    calibration: Calibration,
    coverage: float,
    outlier_threshold: float | None = None,
) -> dict[str, Any]:
    """The facts by parameter name of the ensemble; each value becomes JSON.

    Args:
        number: of the release.
        calibration: of the members and their mean.
        coverage: share of prediction sets that shall hold the true class.
        outlier_threshold: score above which a photo is refused; None where it was not fitted.
    """
    first = members[0]
    thresholds = _thresholds(members, calibration, coverage)
    validation = mean_probabilities(members, calibration, "validation")
    reference = {} if validation is None else {"reference": reference_figures(validation[0], thresholds)}
    return {
        "release": number,
        "task": first.classes["task"],
        "crop": first.classes.get("crop", {}),
        "languages": first.classes.get("languages", ["en"]),
        "classes": first.classes["classes"],
        "members": [_member(member, t) for member, t in zip(members, calibration.temperatures, strict=True)],
        "weights": list(calibration.weights),
        "temperature": calibration.after_averaging,
        "thresholds": thresholds,
        "outlier": {"output": OUTLIER_SCORE, "threshold": outlier_threshold},
        "limits": LIMITS,
        "metrics": _test_metrics(members, calibration, thresholds["prediction_set_probability"]),
        **reference,
    }


def _member(member: Member, temperature: float) -> dict[str, Any]:
    view = member.view
    maps = {} if member.outputs.map_size is None else {"activation_map": member.activation_map}
    return {
        "name": member.name,
        "architecture": member.architecture,
        "output": member.answer,
        **maps,
        "view": {
            "height": view.height,
            "width": view.width,
            "crop_pct": view.crop_pct,
            "crop_mode": view.crop_mode,
        },
        "temperature": round(temperature, 4),
    }


def _thresholds(members: Sequence[Member], calibration: Calibration, coverage: float) -> dict[str, Any]:
    """Fitted on out-of-fold answers where every member has them, as they are of more photos, else on validation photos."""
    for part in ("out_of_fold", "validation"):
        mean = mean_probabilities(members, calibration, part)
        if mean is not None:
            fitted_on = {"predictions": part, "photos": len(mean[1])}
            least = prediction_set_probability(*mean, coverage)
            return {"coverage": coverage, "prediction_set_probability": least, "fitted_on": fitted_on}
    return {"coverage": None, "prediction_set_probability": None}


def _test_metrics(members: Sequence[Member], calibration: Calibration, threshold: float | None) -> dict[str, Any]:
    """Of the averaged probabilities on photos never seen; empty where a member was not evaluated."""
    mean = mean_probabilities(members, calibration, "test")
    if mean is None:
        return {}
    probabilities, labels = mean
    answers = Answers.of(probabilities, labels)
    figures = {
        "test_photos": len(labels),
        "accuracy_micro": round(accuracy(answers), 4),
        "f1_macro": round(f1_macro(answers), 4),
        "calibration_error": round(calibration_error(answers), 4),
        "recall_by_class": [round(recall, 4) for recall in recalls(answers)],
    }
    if threshold is not None:
        figures["prediction_set_coverage"] = round(coverage_of(probabilities, labels, threshold), 4)
    return figures


def mean_probabilities(
    members: Sequence[Member], calibration: Calibration, part: str
) -> tuple[Probabilities, Labels] | None:
    """The release's probabilities and the labels of its `validation`, `test` or `out_of_fold` photos.

    None where a member has none.
    """
    stored = [getattr(member, part) for member in members]
    if any(predictions is None for predictions in stored):
        return None
    return calibration.probabilities(stored), stored[0].labels
