"""One member's answers, the mean of several, and the difference between two of them on the same photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import ModelFolderError
from training.evaluation import resampling
from training.evaluation.calibration import Probabilities, fit_temperature, scaled
from training.folder import Predictions


@dataclass(frozen=True)
class Answers:
    """What one member, or the mean of several, says about N photos of C classes."""

    name: str
    probabilities: Probabilities
    """float64 [N, C], as trained."""
    calibrated: Probabilities | None
    """float64 [N, C], each member's logits over its temperature; None where no other photos were there to fit it on."""
    temperatures: dict[str, float]
    """Of each member, fitted on the validation photos."""
    labels: NDArray[np.int64]
    image_ids: NDArray[np.str_]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """int64 [N], the likeliest class of each photo."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def logits(self) -> NDArray[np.float32]:
        """float32 [N, C], logarithms of the probabilities."""
        return np.log(np.maximum(self.probabilities, np.finfo(np.float32).tiny)).astype(np.float32)


def answers_of(name: str, judged: Predictions, validation: Predictions | None) -> Answers:
    """Turn a member's logits into answers.

    Args:
        judged: of the photos that are reported on.
        validation: of other photos, to fit the temperature on; None leaves `calibrated` out.
    """
    temperature = None if validation is None else fit_temperature(validation.logits, validation.labels)
    return Answers(
        name=name,
        probabilities=scaled(judged.logits, 1.0),
        calibrated=None if temperature is None else scaled(judged.logits, temperature),
        temperatures={} if temperature is None else {name: temperature},
        labels=judged.labels,
        image_ids=judged.image_ids,
    )


def average(members: Sequence[Answers], name: str = "average") -> Answers:
    """The mean of the members' probabilities, as a release with equal weights serves it; one member stays itself.

    Raises:
        ModelFolderError: the members answered different photos.
    """
    first = members[0]
    if len(members) == 1:
        return first
    for member in members[1:]:
        if not np.array_equal(member.image_ids, first.image_ids) or not np.array_equal(member.labels, first.labels):
            raise ModelFolderError(
                f"{member.name} and {first.name} differ in their photos: only members of one split can be averaged."
            )
    calibrated = [member.calibrated for member in members if member.calibrated is not None]
    return Answers(
        name=name,
        probabilities=np.mean([member.probabilities for member in members], axis=0),
        calibrated=np.mean(calibrated, axis=0) if len(calibrated) == len(members) else None,
        temperatures={key: value for member in members for key, value in member.temperatures.items()},
        labels=first.labels,
        image_ids=first.image_ids,
    )


def paired_difference(first: Answers, second: Answers) -> dict[str, Any]:
    """How much better `first` is than `second` on the same photos, with paired percentile bootstrap intervals.

    Returns:
        `accuracy_micro` and `f1_macro`, each with `difference` (first minus second) and its 95 % `interval`. An
        interval that holds zero says that the photos do not tell the two apart.
    """
    classes, labels = first.probabilities.shape[1], first.labels
    everything = np.arange(len(labels))[None]
    found: dict[str, Any] = {}
    for figure, statistic in (("accuracy_micro", resampling.accuracy), ("f1_macro", resampling.f1_macro)):

        def difference(draws: resampling.Draws, statistic: Any = statistic) -> resampling.Values:
            one, other = (
                statistic(resampling.confusions(answers.predicted, labels, classes, draws))
                for answers in (first, second)
            )
            return np.asarray(one - other)

        found[figure] = {
            "difference": float(difference(everything)[0]),
            "interval": resampling.interval(resampling.resample(len(labels), difference)),
        }
    return found
