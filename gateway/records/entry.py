"""One answered photo, as it goes to the record."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

NAMELESS = ("open", "page")
"""Kinds of callers who are nobody in particular: what they were answered belongs to whoever knows its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionEntry:
    """Everything that is remembered of one answer; class keys, not names, so that languages do not matter.

    Attributes:
        prediction_id: 32 hex digits.
        kind: route that asked: `predict`, `batch`, or `diagnosis` (one photo of it).
        group_id: shared by the photos of one batch or diagnosis.
        photo_sha256: hex digest of the upload as it arrived.
        photo_bytes: its size; width and height in pixels, upright.
        probabilities: by class key.
        members: `{name: {class key: probability}}`.
        quality: hints such as `blurred`.
        timings_ms: by stage.
        caller_kind: `Caller.kind`: answers to nobody in particular are open to whoever knows their id.
        client: keyed hash of `Caller.identity`; two entries of one caller share it.
        end_user: keyed hash of the delegated end user, or None.
        photo: the upload itself, only where it may be kept.
    """

    prediction_id: str
    request_id: str
    kind: str
    group_id: str | None
    file_name: str | None
    photo_sha256: str
    photo_bytes: int
    width: int
    height: int
    task: str
    release: int
    class_key: str
    confidence: float
    decision: str
    probabilities: dict[str, float]
    prediction_set: list[str]
    members: dict[str, dict[str, float]]
    quality: list[str]
    timings_ms: dict[str, float]
    language: str
    caller_kind: str
    client: str
    end_user: str | None
    photo: bytes | None = field(default=None, repr=False)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
