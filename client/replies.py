"""What the gateway answers, as types; the keys are documented in its OpenAPI description."""

from typing import Any, Literal, NotRequired, TypedDict

Decision = Literal["accepted", "uncertain", "rejected"]
Verdict = Literal["correct", "wrong", "unsure"]


class Explanation(TypedDict):
    """Where the evidence lies: a transparent PNG (base64) of the upright photo's aspect ratio."""

    class_name: str
    overlay_png: str
    members: list[str]


class Answer(TypedDict):
    """What one photo and one diagnosis have in common; names are in the language asked for."""

    predicted_class_id: int
    class_name: str
    confidence: float
    probabilities: dict[str, float]
    decision: Decision
    prediction_set: list[str]
    quality: list[str]
    advice: str | None
    advice_source: str | None
    members: list[dict[str, Any]]
    release: int
    request_id: str
    timings_ms: dict[str, float]


class Prediction(Answer):
    """The answer to one photo."""

    prediction_id: str
    explanation: NotRequired[Explanation | None]


class Item(TypedDict):
    """One photo of several: its `prediction`, or the `problem` that kept it from one (RFC 9457)."""

    index: int
    file_name: str | None
    prediction: NotRequired[Prediction]
    problem: NotRequired[dict[str, Any]]


class PlantPhoto(Item):
    """One photo of a plant; `used` where it has a say in the diagnosis."""

    used: bool


class Batch(TypedDict):
    """The answers to several photos, in the order in which they were sent."""

    results: list[Item]
    batch_id: str
    request_id: str


class Diagnosis(Answer):
    """One answer from several photos of one plant, with the evidence of each."""

    diagnosis_id: str
    photos_used: int
    agreement: float
    votes: dict[str, int]
    photos: list[PlantPhoto]
