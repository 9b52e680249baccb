"""Figures of one set of logits. Every key names its averaging; every interval its method and level."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax  # type: ignore[import-untyped]
from scipy.stats import binomtest  # type: ignore[import-untyped]
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_precision,
    multiclass_recall,
)

from training.evaluation import resampling
from training.evaluation.resampling import BINS, LEVEL, RESAMPLES


def compute_metrics(logits: NDArray[np.float32], labels: NDArray[np.int64], keys: list[str]) -> dict[str, Any]:
    """Compute all figures of one part of the split.

    Args:
        logits: float32 [N, C]; log-probabilities do as well, so an ensemble's averaged probabilities can be passed.
        labels: int64 [N], each below C.
        keys: the C class keys in label order.

    Returns:
        JSON-ready: shares 0-1. `accuracy_micro` and each class's precision and recall carry a Wilson interval (Wilson
        1927), `f1_macro` a percentile bootstrap over photos (Efron 1979); `ece_15_bins_l1` is the expected calibration
        error of Guo et al. (2017). Macro figures are means over classes, each counting the same;
        `classes_without_photos` are left out of them, and have None where a figure is not defined.
    """
    classes = len(keys)
    probabilities = torch.from_numpy(np.asarray(logits, dtype=np.float32)).softmax(dim=1)
    truth = torch.from_numpy(np.asarray(labels, dtype=np.int64))
    predicted = probabilities.argmax(dim=1)
    confusion = multiclass_confusion_matrix(predicted, truth, classes).numpy()
    precisions = multiclass_precision(predicted, truth, classes, average="none").tolist()
    recalls = multiclass_recall(predicted, truth, classes, average="none").tolist()
    scores = np.asarray(softmax(np.asarray(logits, dtype=np.float64), axis=1))
    areas = [resampling.auc_one_vs_rest(scores[:, label], labels == label) for label in range(classes)]
    return {
        "photos": len(truth),
        "classes_without_photos": [key for index, key in enumerate(keys) if not confusion[index].any()],
        "accuracy_micro": float(multiclass_accuracy(predicted, truth, classes, average="micro")),
        "accuracy_micro_interval": wilson(int(confusion.trace()), len(truth)),
        "f1_macro": float(resampling.f1_macro(confusion)),
        "f1_macro_interval": bootstrap_f1_macro(predicted.numpy(), truth.numpy(), classes),
        "precision_macro": float(resampling.precision_macro(confusion)),
        "recall_macro": float(resampling.recall_macro(confusion)),
        "auc_one_vs_rest_macro": float(np.mean(known))
        if (known := [area for area in areas if area is not None])
        else None,
        "ece_15_bins_l1": float(multiclass_calibration_error(probabilities, truth, classes, n_bins=BINS, norm="l1")),
        "recall_per_class": {
            key: {
                "recall": recalls[index] if confusion[index].any() else None,
                "interval": wilson(int(confusion[index, index]), int(confusion[index].sum())),
                "photos": int(confusion[index].sum()),
                "predicted": int(confusion[:, index].sum()),
            }
            for index, key in enumerate(keys)
        },
        "precision_per_class": {
            key: {
                "precision": precisions[index] if confusion[:, index].any() else None,
                "interval": wilson(int(confusion[index, index]), int(confusion[:, index].sum())),
            }
            for index, key in enumerate(keys)
        },
        "f1_per_class": dict(zip(keys, _f1(confusion), strict=True)),
        "auc_one_vs_rest_per_class": dict(zip(keys, areas, strict=True)),
        "confusion_rows_are_truth": confusion.tolist(),
        "intervals": f"{LEVEL:.0%}; shares: Wilson; f1_macro: percentile bootstrap over photos, {RESAMPLES} resamples",
    }


def _f1(confusion: NDArray[np.int64]) -> list[float | None]:
    support = confusion.sum(axis=0) + confusion.sum(axis=1)
    return [2 * int(confusion[c, c]) / int(total) if confusion[c].any() else None for c, total in enumerate(support)]


def wilson(hits: int, trials: int) -> list[float] | None:
    """Wilson score interval [low, high] of a share; None without trials."""
    if not trials:
        return None
    interval = binomtest(hits, trials).proportion_ci(LEVEL, method="wilson")
    return [float(interval.low), float(interval.high)]


def bootstrap_f1_macro(predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> list[float]:
    """Percentile bootstrap interval [low, high] of macro-F1, with a fixed seed.

    Classes without photos in a resample are left out of its mean.
    """
    return resampling.interval(
        resampling.resample(
            len(labels),
            lambda draws: resampling.f1_macro(resampling.confusions(predicted, labels, classes, draws)),
        )
    )


def summary(part: str, metrics: dict[str, Any]) -> str:
    """A few lines for the terminal."""

    def interval(bounds: list[float] | None) -> str:
        return f"[{bounds[0]:.3f}, {bounds[1]:.3f}]" if bounds else ""

    lines = [
        f"{part}: {metrics['photos']} photos",
        f"  accuracy (micro)  {metrics['accuracy_micro']:.3f} {interval(metrics['accuracy_micro_interval'])}",
        f"  F1 (macro)        {metrics['f1_macro']:.3f} {interval(metrics['f1_macro_interval'])}",
        f"  ECE (15 bins, l1) {metrics['ece_15_bins_l1']:.3f}",
    ]
    for key, row in metrics["recall_per_class"].items():
        known = row["recall"] is not None
        found = f"{row['recall']:.3f} {interval(row['interval'])} of {row['photos']}" if known else "no photos"
        lines.append(f"  recall {key:30} {found}")
    if without := metrics["classes_without_photos"]:
        lines.append(f"  macro figures leave out {', '.join(without)}: no photos")
    return "\n".join(lines) + "\n"
