"""The answer to photos of one plant: its form, and what the pooled answer tells of it."""

from typing import Any

from pydantic import BaseModel, Field

from gateway.predictions.batch import BatchItem
from gateway.predictions.pooling import Pooled
from gateway.predictions.replies import Decision, MemberReply, QualityHint, Timings, advice_on, word_prediction
from gateway.triton.release import Release

MOST_PHOTOS = 10


class DiagnosisPhoto(BatchItem):
    """One photo of the plant, as it is judged by itself."""

    used: bool = Field(description="Whether it has a say; not where it was rejected or has a problem.")


class Diagnosis(BaseModel):
    """One answer from several photos of one plant; the keys of a `Prediction`, of the mean over the photos used."""

    predicted_class_id: int
    class_name: str
    confidence: float = Field(description="Mean probability of the predicted class.")
    probabilities: dict[str, float] = Field(description="Mean probability by class name, in class order.")
    decision: Decision = Field(
        description="accepted: one plausible class; uncertain: several, or the photos contradict each other; rejected: each "
        "photo was. The threshold was fitted on single photos, so for several the release's coverage holds only roughly."
    )
    prediction_set: list[str] = Field(description="Plausible classes, the likeliest first.")
    members: list[MemberReply]
    release: int = Field(description="The one that answered every photo.")
    diagnosis_id: str = Field(description="`group_id` in the record of each photo.")
    request_id: str
    timings_ms: Timings = Field(description="Of the photo that was done last.")
    quality: list[QualityHint] = Field(description="What makes every photo hard to judge.")
    advice: str | None = Field(description="What to do about the predicted class; null where rejected or not known.")
    advice_source: str | None = Field(description="Whose advice it is.")
    photos_used: int = Field(
        ge=0, description="Photos that have a say; where none has, all answered ones are averaged."
    )
    agreement: float = Field(
        ge=0, le=1, description="Share of them that find the predicted class likeliest; 0 of none."
    )
    votes: dict[str, int] = Field(
        description="Number of them by the class that each finds likeliest, most votes first."
    )
    photos: list[DiagnosisPhoto] = Field(
        min_length=1,
        max_length=MOST_PHOTOS,
        description="An `explanation` is about the class of the diagnosis, wherever the photo's own differs.",
    )


def word_diagnosis(release: Release, pooled: Pooled, language: str) -> dict[str, Any]:
    """All keys of a `Diagnosis` in their order; those that the pooled answer does not tell are None."""
    names = release.names[language]
    worded = word_prediction(release, pooled.answer, language)
    advice = source = None
    if pooled.decision != "rejected":
        advice, source = advice_on(release.classes[pooled.class_id], language)
    return {
        **{key: worded[key] for key in ("predicted_class_id", "class_name", "confidence", "probabilities")},
        "decision": pooled.decision,
        "prediction_set": [names[class_id] for class_id in pooled.plausible],
        "members": worded["members"],
        "release": release.number,
        "diagnosis_id": None,
        "request_id": None,
        "timings_ms": None,
        "quality": None,
        "advice": advice,
        "advice_source": source,
        "photos_used": len(pooled.used),
        "agreement": round(pooled.agreement, 4),
        "votes": {names[class_id]: count for class_id, count in pooled.votes},
        "photos": None,
    }
