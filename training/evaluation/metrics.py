"""Figures of one set of logits. Every key names its averaging; every interval its method and level."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binomtest  # type: ignore[import-untyped]
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_recall,
)

LEVEL = 0.95
RESAMPLES = 2000
BINS = 15


def compute_metrics(logits: NDArray[np.float32], labels: NDArray[np.int64], keys: list[str]) -> dict[str, Any]:
    """Compute all figures of one part of the split.

    Args:
        logits: float32 [N, C]; log-probabilities do as well, so an ensemble's averaged probabilities can be passed.
        labels: int64 [N], each below C.
        keys: the C class keys in label order.

    Returns:
        JSON-ready: shares 0-1. `accuracy_micro` and each `recall_per_class` carry a Wilson interval (Wilson 1927),
        `f1_macro` a percentile bootstrap over photos (Efron 1979); `ece_15_bins_l1` is the expected calibration error
        of Guo et al. (2017).
    """
    classes = len(keys)
    probabilities = torch.from_numpy(np.asarray(logits, dtype=np.float32)).softmax(dim=1)
    truth = torch.from_numpy(np.asarray(labels, dtype=np.int64))
    predicted = probabilities.argmax(dim=1)
    confusion = multiclass_confusion_matrix(predicted, truth, classes).numpy()
    recalls = multiclass_recall(predicted, truth, classes, average="none").tolist()
    return {
        "photos": len(truth),
        "accuracy_micro": float(multiclass_accuracy(predicted, truth, classes, average="micro")),
        "accuracy_micro_interval": wilson(int(confusion.trace()), len(truth)),
        "f1_macro": float(multiclass_f1_score(predicted, truth, classes, average="macro")),
        "f1_macro_interval": bootstrap_f1_macro(predicted.numpy(), truth.numpy(), classes),
        "recall_macro": float(np.mean(recalls)),
        "ece_15_bins_l1": float(multiclass_calibration_error(probabilities, truth, classes, n_bins=BINS, norm="l1")),
        "recall_per_class": {
            key: {
                "recall": recalls[index],
                "interval": wilson(int(confusion[index, index]), int(confusion[index].sum())),
                "photos": int(confusion[index].sum()),
                "predicted": int(confusion[:, index].sum()),
            }
            for index, key in enumerate(keys)
        },
        "confusion_rows_are_truth": confusion.tolist(),
        "intervals": f"{LEVEL:.0%}; shares: Wilson; f1_macro: percentile bootstrap over photos, {RESAMPLES} resamples",
    }


def wilson(hits: int, trials: int) -> list[float] | None:
    """Wilson score interval [low, high] of a share; None without trials."""
    if not trials:
        return None
    interval = binomtest(hits, trials).proportion_ci(LEVEL, method="wilson")
    return [float(interval.low), float(interval.high)]


def bootstrap_f1_macro(predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> list[float]:
    """Percentile bootstrap interval [low, high] of macro-F1, with a fixed seed.

    Classes absent from a resample, in truth and prediction, are left out of its mean, as torchmetrics does.
    """
    draws = np.random.default_rng(0).integers(len(labels), size=(RESAMPLES, len(labels)))
    cells = labels[draws] * classes + predicted[draws]
    offset = np.arange(RESAMPLES)[:, None] * classes**2
    counts = np.bincount((cells + offset).ravel(), minlength=RESAMPLES * classes**2)
    counts = counts.reshape(RESAMPLES, classes, classes)
    hits = np.diagonal(counts, axis1=1, axis2=2)
    support = counts.sum(axis=1) + counts.sum(axis=2)
    f1 = np.divide(2.0 * hits, support, out=np.full(hits.shape, np.nan), where=support > 0)
    low, high = np.quantile(np.nanmean(f1, axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [float(low), float(high)]


def summary(part: str, metrics: dict[str, Any]) -> str:
    """A few lines for the terminal."""

    def interval(bounds: list[float] | None) -> str:
        return f"[{bounds[0]:.3f}, {bounds[1]:.3f}]" if bounds else "[no photos]"

    lines = [
        f"{part}: {metrics['photos']} photos",
        f"  accuracy (micro)  {metrics['accuracy_micro']:.3f} {interval(metrics['accuracy_micro_interval'])}",
        f"  F1 (macro)        {metrics['f1_macro']:.3f} {interval(metrics['f1_macro_interval'])}",
        f"  ECE (15 bins, l1) {metrics['ece_15_bins_l1']:.3f}",
    ]
    for key, row in metrics["recall_per_class"].items():
        lines.append(f"  recall {key:30} {row['recall']:.3f} {interval(row['interval'])} of {row['photos']}")
    return "\n".join(lines) + "\n"
