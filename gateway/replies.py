"""From probabilities to the answer of contract 3: decision, names, JSON."""

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field

from gateway.release import Answer, Release

_DIGITS = 6

Decision = Literal["accepted", "uncertain", "rejected"]


class MemberReply(BaseModel):
    """What one network of the ensemble says."""

    name: str
    predicted_class_id: int
    probabilities: dict[str, float] = Field(description="Probability by class name, in class order.")


class Timings(BaseModel):
    """Milliseconds spent on each stage."""

    receive: float
    check: float
    infer: float
    total: float


class Prediction(BaseModel):
    """The answer to one photo; class names are in the language asked for."""

    predicted_class_id: int
    class_name: str
    confidence: float = Field(description="Probability of the predicted class.")
    probabilities: dict[str, float] = Field(description="Probability by class name, in class order.")
    decision: Decision = Field(description="accepted: one plausible class; uncertain: several; rejected: none.")
    prediction_set: list[str] = Field(description="Plausible classes, the likeliest first.")
    members: list[MemberReply]
    release: int
    prediction_id: str
    request_id: str
    timings_ms: Timings


def decide(probabilities: list[float], threshold: float | None) -> tuple[Decision, list[int]]:
    """The decision and the prediction set.

    Args:
        probabilities: by class id.
        threshold: least probability of a plausible class; None where the release was not calibrated.

    Returns:
        The decision, and ids of the plausible classes by falling probability.
    """
    ranked = sorted(range(len(probabilities)), key=lambda class_id: -probabilities[class_id])
    if threshold is None:
        return "uncertain", ranked
    plausible = [class_id for class_id in ranked if probabilities[class_id] >= threshold]
    if not plausible:
        return "rejected", plausible
    return ("accepted" if len(plausible) == 1 else "uncertain"), plausible


def word_prediction(release: Release, answer: Answer, language: str) -> dict[str, Any]:
    """All keys of a `Prediction` that follow from the model's answer, in the contract's order."""
    names = release.names[language]
    exact = answer.ensemble.tolist()
    best = int(np.argmax(answer.ensemble))
    decision, plausible = decide(exact, release.thresholds.prediction_set_probability)
    return {
        "predicted_class_id": best,
        "class_name": names[best],
        "confidence": round(exact[best], _DIGITS),
        "probabilities": _by_name(names, exact),
        "decision": decision,
        "prediction_set": [names[class_id] for class_id in plausible],
        "members": [
            {
                "name": member.name,
                "predicted_class_id": int(np.argmax(row)),
                "probabilities": _by_name(names, row.tolist()),
            }
            for member, row in zip(release.members, answer.members, strict=True)
        ],
        "release": release.number,
    }


def _by_name(names: tuple[str, ...], probabilities: list[float]) -> dict[str, float]:
    return {name: round(value, _DIGITS) for name, value in zip(names, probabilities, strict=True)}
