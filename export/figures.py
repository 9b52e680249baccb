"""Figures of merit of answers to photos, and how sure they are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.calibration import Labels, Probabilities

BINS = 15
Z95 = 1.96


@dataclass(frozen=True)
class Answers:
    """Of probabilities what figures need, [photos] each: to draw a thousand resamples from this is quick."""

    predicted: Labels
    confidence: NDArray[np.float64]
    labels: Labels
    classes: int

    @classmethod
    def of(cls, probabilities: Probabilities, labels: Labels) -> "Answers":
        """From probabilities [photos, classes] and true classes [photos]."""
        return cls(probabilities.argmax(axis=1), probabilities.max(axis=1), labels, probabilities.shape[1])

    def at(self, rows: NDArray[np.int64]) -> "Answers":
        """Of some photos, which may repeat."""
        return Answers(self.predicted[rows], self.confidence[rows], self.labels[rows], self.classes)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the likeliest class is the true one."""
        return np.asarray(self.predicted == self.labels)

    def hits(self) -> NDArray[np.int64]:
        """Photos that were recognised, by class."""
        return np.bincount(self.labels[self.right], minlength=self.classes)


def accuracy(answers: Answers) -> float:
    """Share of photos whose likeliest class is the true one."""
    return float(answers.right.mean())


def f1_macro(answers: Answers) -> float:
    """Unweighted mean of the classes' F1; a class that is neither there nor named counts 0."""
    classes = answers.classes
    named = np.bincount(answers.predicted, minlength=classes) + np.bincount(answers.labels, minlength=classes)
    return float((2 * answers.hits() / np.maximum(named, 1)).mean())


def recalls(answers: Answers) -> list[float]:
    """Per class, the share of its photos that are recognised; 0 for a class without photos."""
    return [float(r) for r in answers.hits() / np.maximum(np.bincount(answers.labels, minlength=answers.classes), 1)]


def calibration_error(answers: Answers) -> float:
    """Expected calibration error: mean gap of confidence and accuracy over 15 bins of equal width, l1."""
    bins = np.minimum((answers.confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=answers.confidence - answers.right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(answers.labels))


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    share, z2 = hits / count, Z95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 * np.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return float(max(middle - half, 0.0)), float(min(middle + half, 1.0))
