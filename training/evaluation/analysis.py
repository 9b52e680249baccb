"""All figures of one evaluation as one JSON-ready dictionary; `evaluation.html` shows the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from training.data.photos import Photo
from training.evaluation import resampling
from training.evaluation.calibration import calibration_figures
from training.evaluation.members import Answers, average, paired_difference
from training.evaluation.metrics import compute_metrics
from training.evaluation.quality import by_quality

INTERVALS = (
    f"{resampling.LEVEL:.0%}; accuracy, precision and recall: Wilson; macro figures, AUC, ECE and differences: "
    f"percentile bootstrap over photos, {resampling.RESAMPLES} resamples, paired where two are compared, for the ECE "
    "shifted by its bias"
)
_CURVE_POINTS = 120


def analyse(
    members: Sequence[Answers], keys: list[str], photos: Sequence[Photo], part: str, worst: int, views: Answers | None
) -> dict[str, Any]:
    """Compute everything about one member, or about the average of several.

    Args:
        members: their answers to the same N photos.
        keys: the class keys in label order.
        photos: the N photos in the answers' order.
        part: `test` or `validation`, whichever the photos are.
        worst: number of mistakes to list.
        views: the answers of the members' mean over several views of each photo; None where not asked for.

    Returns:
        JSON-ready; shares 0-1; the averaging is part of each figure's name.

    Raises:
        PhotoError: a photo is missing or unreadable.
    """
    whole = average(members)
    return {
        "part": part,
        "photos": len(photos),
        "answered_by": whole.name,
        "members": [member.name for member in members],
        "intervals": INTERVALS,
        "metrics": figures(whole, keys),
        "most_frequent_class": most_frequent(whole.labels, keys),
        "calibration": _calibration(whole, part),
        "roc_one_vs_rest": _curves(whole, keys),
        "by_quality": by_quality(photos, whole.predicted, whole.labels, len(keys)),
        "worst_mistakes": worst_mistakes(whole, keys, worst),
        "members_alone": [
            {"member": member.name, **_headline(member, keys), "average_minus_member": paired_difference(whole, member)}
            for member in members
            if len(members) > 1
        ],
        "views": None
        if views is None
        else {"views": 8, **_headline(views, keys), "views_minus_one_view": paired_difference(views, whole)},
    }


def figures(answers: Answers, keys: list[str]) -> dict[str, Any]:
    """`compute_metrics`, with bootstrap intervals for the macro figures too."""
    classes, labels = len(keys), answers.labels
    metrics = compute_metrics(answers.logits, labels, keys)
    for name in ("precision_macro", "recall_macro"):
        statistic = getattr(resampling, name)

        def macro(draws: resampling.Draws, statistic: Any = statistic) -> resampling.Values:
            return np.asarray(statistic(resampling.confusions(answers.predicted, labels, classes, draws)))

        metrics[f"{name}_interval"] = resampling.interval(resampling.resample(len(labels), macro))
    metrics["auc_one_vs_rest_macro_interval"] = metrics["auc_one_vs_rest_macro"] and resampling.interval(
        resampling.resample(len(labels), lambda draws: resampling.auc_macro(answers.probabilities, labels, draws))
    )
    return {**metrics, "intervals": INTERVALS}


def most_frequent(labels: NDArray[np.int64], keys: list[str]) -> dict[str, Any]:
    """What always answering the most frequent class would reach: the least that a model must beat."""
    counts = np.bincount(labels, minlength=len(keys))
    share = float(counts.max() / counts.sum())
    f1 = 2 * share / (1 + share) / int((counts > 0).sum())
    return {"class": keys[int(counts.argmax())], "accuracy_micro": share, "f1_macro": f1}


def worst_mistakes(answers: Answers, keys: list[str], count: int) -> list[dict[str, Any]]:
    """The photos that were answered wrongly with the least probability left for the truth, worst first."""
    truth = answers.probabilities[np.arange(len(answers.labels)), answers.labels]
    wrong = np.flatnonzero(answers.predicted != answers.labels)
    return [
        {
            "image_id": str(answers.image_ids[index]),
            "truth": keys[answers.labels[index]],
            "predicted": keys[answers.predicted[index]],
            "probability_of_predicted": float(answers.probabilities[index].max()),
            "probability_of_truth": float(truth[index]),
        }
        for index in wrong[np.argsort(truth[wrong], kind="stable")][:count].tolist()
    ]


def _headline(answers: Answers, keys: list[str]) -> dict[str, Any]:
    found = compute_metrics(answers.logits, answers.labels, keys)
    names = ("accuracy_micro", "accuracy_micro_interval", "f1_macro", "f1_macro_interval")
    return {name: found[name] for name in (*names, "auc_one_vs_rest_macro", "ece_15_bins_l1")}


def _calibration(answers: Answers, part: str) -> dict[str, Any]:
    return {
        "method": "temperature scaling (Guo et al. 2017)",
        "fitted_on": "validation" if answers.calibrated is not None else None,
        "reported_on": part,
        "temperatures": answers.temperatures,
        "before": calibration_figures(answers.probabilities, answers.labels),
        "after": None if answers.calibrated is None else calibration_figures(answers.calibrated, answers.labels),
    }


def _curves(answers: Answers, keys: list[str]) -> dict[str, Any]:
    curves = {}
    for label, key in enumerate(keys):
        positive = answers.labels == label
        if not 0 < positive.sum() < len(positive):
            continue
        false_rate, true_rate, _ = roc_curve(positive, answers.probabilities[:, label])
        kept = np.unique(np.linspace(0, len(false_rate) - 1, _CURVE_POINTS).round().astype(int))
        curves[key] = {
            "false_positive_rate": false_rate[kept].round(4).tolist(),
            "true_positive_rate": true_rate[kept].round(4).tolist(),
        }
    return curves
