"""Several photos of one plant to one answer.

Probabilities are averaged over the photos, each with the same weight: the linear opinion pool. Photos of one plant are
anything but independent (one light, one camera, often one leaf), so multiplying their evidence, as naive Bayes does, would
count the same thing several times. The logarithmic pool, their geometric mean, does not, but in it one photo that is sure and
wrong vetoes a class for all of them, and a healthy-looking leaf on a sick plant is common. The mean is the rule least
sensitive to errors of the single estimates (Kittler et al., On combining classifiers, IEEE TPAMI 20, 1998), and where it is
wrong it is underconfident (Ranjan and Gneiting, Combining probability forecasts, J. R. Stat. Soc. B 72, 2010): it errs
towards "uncertain". That several leaves help was seen in the field: one leaf 65 %, six leaves 74-88 % right
(Mrisho et al., Accuracy of PlantVillage Nuru, Frontiers in Plant Science 11, 590889, 2020).

A photo that was rejected by itself (not the trained kind, or nothing plausible in it) has no say.

What the decision means: the release's threshold was fitted on single photos, where the prediction set holds the true class
as often as its coverage says. Held against the mean of several photos it keeps that meaning only roughly: the mean varies less
than one photo, so the true class rarely falls below the threshold more often than for a single one, but nothing guarantees it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gateway.predictions.outcome import Outcome
from gateway.predictions.replies import Decision, decide
from gateway.triton.release import Answer


@dataclass(frozen=True, slots=True)
class Pooled:
    """One answer of several photos, by class id.

    Attributes:
        answer: mean probabilities, of the ensemble and of each member.
        decision: as for one photo; `rejected` only where every photo was.
        plausible: class ids by falling probability.
        used: positions of the outcomes that have a say; all are averaged where none has.
        votes: number of these photos by the class that each finds likeliest, most votes first.
    """

    answer: Answer
    decision: Decision
    plausible: list[int]
    used: list[int]
    votes: list[tuple[int, int]]

    @property
    def class_id(self) -> int:
        """The likeliest class."""
        return int(np.argmax(self.answer.ensemble))

    @property
    def agreement(self) -> float:
        """Share of the used photos that find the likeliest class likeliest too; 0 where none is used."""
        return dict(self.votes).get(self.class_id, 0) / len(self.used) if self.used else 0.0


def pool(outcomes: Sequence[Outcome]) -> Pooled:
    """Pool at least one outcome, all of the same release."""
    used = [place for place, outcome in enumerate(outcomes) if _decision(outcome) != "rejected"]
    answers = [outcomes[place].answer for place in used] or [outcome.answer for outcome in outcomes]
    answer = Answer(
        np.mean([one.ensemble for one in answers], axis=0),
        tuple(np.mean(rows, axis=0) for rows in zip(*(one.members for one in answers), strict=True)),
    )
    votes = Counter(int(np.argmax(one.ensemble)) for one in answers).most_common() if used else []
    if not used:
        return Pooled(answer, "rejected", [], used, votes)
    means = answer.ensemble.tolist()
    decision, plausible = decide(means, outcomes[0].release.thresholds.prediction_set_probability)
    if not plausible:  # each photo finds something plausible, but none of it is the same
        decision = "uncertain"
        plausible = sorted({int(np.argmax(means)), *(class_id for class_id, _ in votes)}, key=lambda one: -means[one])
    return Pooled(answer, decision, plausible, used, votes)


def _decision(outcome: Outcome) -> Decision:
    release, answer = outcome.release, outcome.answer
    return decide(
        answer.ensemble.tolist(),
        release.thresholds.prediction_set_probability,
        answer.outlier_score,
        release.outlier.threshold if release.outlier else None,
    )[0]
