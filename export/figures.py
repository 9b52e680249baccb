"""Figures of merit from probabilities [photos, classes] and labels [photos], and how sure they are."""

import numpy as np

from export.calibration import Labels, Probabilities

BINS = 15
Z95 = 1.96


def accuracy(probabilities: Probabilities, labels: Labels) -> float:
    """Share of photos whose likeliest class is the true one."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def f1_macro(probabilities: Probabilities, labels: Labels) -> float:
    """Unweighted mean of the classes' F1; a class that is neither there nor named counts 0."""
    predicted, classes = probabilities.argmax(axis=1), probabilities.shape[1]
    hits = np.bincount(labels[predicted == labels], minlength=classes)
    named = np.bincount(predicted, minlength=classes) + np.bincount(labels, minlength=classes)
    return float((2 * hits / np.maximum(named, 1)).mean())


def recalls(probabilities: Probabilities, labels: Labels) -> list[float]:
    """Per class, the share of its photos that are recognised; 0 for a class without photos."""
    predicted, classes = probabilities.argmax(axis=1), probabilities.shape[1]
    hits = np.bincount(labels[predicted == labels], minlength=classes)
    return [float(r) for r in hits / np.maximum(np.bincount(labels, minlength=classes), 1)]


def calibration_error(probabilities: Probabilities, labels: Labels) -> float:
    """Expected calibration error: mean gap of confidence and accuracy over 15 bins of equal width, l1."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(labels))


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    share, z2 = hits / count, Z95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 * np.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return float(max(middle - half, 0.0)), float(min(middle + half, 1.0))
