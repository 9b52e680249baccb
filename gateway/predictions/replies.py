"""From probabilities to the answer of contract 3: decision, names, JSON."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field

from gateway.languages import ENGLISH
from gateway.triton.release import Answer, LeafClass, Release

_DIGITS = 6

Decision = Literal["accepted", "uncertain", "rejected"]
QualityHint = Literal["too_dark", "too_bright", "blurred", "small"]


class MemberReply(BaseModel):
    """What one network of the ensemble says."""

    name: str
    predicted_class_id: int
    probabilities: dict[str, float] = Field(description="Probability by class name, in class order.")


class Timings(BaseModel):
    """Milliseconds spent on each stage; they add up to the total."""

    receive: float = Field(description="Until the whole upload had arrived.")
    queue: float = Field(description="Waiting for memory and a thread to check it.")
    check: float = Field(description="Decoding it, and making it smaller where it is very large.")
    infer: float = Field(description="Triton: queues, preprocessing, members, average.")
    respond: float = Field(description="Quality hints, explanation, wording.")
    total: float


class Explanation(BaseModel):
    """Where the members saw the predicted class."""

    class_name: str
    overlay_png: str = Field(
        description="Transparent PNG, base64; stretch it over the upright photo. The more opaque, the more evidence."
    )
    members: list[str] = Field(description="Members whose evidence is shown.")


class Prediction(BaseModel):
    """The answer to one photo; class names are in the language asked for."""

    predicted_class_id: int
    class_name: str
    confidence: float = Field(description="Probability of the predicted class.")
    probabilities: dict[str, float] = Field(description="Probability by class name, in class order.")
    decision: Decision = Field(
        description="accepted: one plausible class; uncertain: several; rejected: none, or not the kind of photo that the "
        "release knows."
    )
    prediction_set: list[str] = Field(description="Plausible classes, the likeliest first.")
    members: list[MemberReply]
    release: int
    prediction_id: str
    request_id: str
    timings_ms: Timings
    quality: list[QualityHint] = Field(description="What makes the photo hard to judge; empty where nothing does.")
    advice: str | None = Field(description="What to do about the predicted class; null where rejected or not known.")
    advice_source: str | None = Field(description="Whose advice it is.")
    explanation: Explanation | None = Field(description="Only where asked for, and where a member can explain itself.")


def decide(
    probabilities: list[float],
    threshold: float | None,
    outlier_score: float | None = None,
    outlier_threshold: float | None = None,
) -> tuple[Decision, list[int]]:
    """The decision and the prediction set.

    Args:
        probabilities: by class id.
        threshold: least probability of a plausible class; None where the release was not calibrated.
        outlier_score: how unlike the photos that the release knows; None where it cannot tell.
        outlier_threshold: above it no class is plausible, however probable; None where it was not calibrated.

    Returns:
        The decision, and ids of the plausible classes by falling probability.
    """
    if outlier_score is not None and outlier_threshold is not None and outlier_score > outlier_threshold:
        return "rejected", []
    ranked = sorted(range(len(probabilities)), key=lambda class_id: -probabilities[class_id])
    if threshold is None:
        return "uncertain", ranked
    plausible = [class_id for class_id in ranked if probabilities[class_id] >= threshold]
    if not plausible:
        return "rejected", plausible
    return ("accepted" if len(plausible) == 1 else "uncertain"), plausible


def decide_on(release: Release, answer: Answer) -> tuple[Decision, list[int]]:
    """The same by the thresholds of the release that answered."""
    return decide(
        answer.ensemble.tolist(),
        release.thresholds.prediction_set_probability,
        answer.outlier_score,
        release.outlier.threshold if release.outlier else None,
    )


def word_prediction(release: Release, answer: Answer, language: str, quality: Sequence[str] = ()) -> dict[str, Any]:
    """All keys of a `Prediction`, in the contract's order.

    `prediction_id`, `request_id`, `timings_ms` and, where one was asked for, `explanation` are None, for the caller to fill.
    """
    names = release.names[language]
    exact = answer.ensemble.tolist()
    best = int(np.argmax(answer.ensemble))
    decision, plausible = decide_on(release, answer)
    advice, source = (None, None) if decision == "rejected" else advice_on(release.classes[best], language)
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
        "prediction_id": None,
        "request_id": None,
        "timings_ms": None,
        "quality": list(quality),
        "advice": advice,
        "advice_source": source,
        "explanation": None,
    }


def advice_on(leaf_class: LeafClass, language: str) -> tuple[str, str | None] | tuple[None, None]:
    """The advice on a class in `language`, else in English, and its source; nothing where the release has neither."""
    advice = leaf_class.advice.get(language) or leaf_class.advice.get(ENGLISH)
    return (advice, leaf_class.source or None) if advice else (None, None)


def _by_name(names: tuple[str, ...], probabilities: list[float]) -> dict[str, float]:
    return {name: round(value, _DIGITS) for name, value in zip(names, probabilities, strict=True)}
