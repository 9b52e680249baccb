"""Routes on feedback: users say whether an answer was right, experts settle it."""

import hashlib
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row

from gateway.access.admission import require
from gateway.access.caller import Caller, Scope
from gateway.api.documentation import BINARY, answer, problems
from gateway.api.feedback_body import FeedbackBody, FeedbackForm, read_feedback
from gateway.api.records import Asker, RecordsDep
from gateway.errors import (
    FeedbackConflict,
    InvalidRequest,
    MalformedUpload,
    NotReady,
    Overloaded,
    PhotoMismatch,
    ReceiveTimeout,
    RecordsUnavailable,
    UnknownClass,
    UnknownFeedback,
    UnknownPrediction,
    UploadTooLarge,
)
from gateway.records.feedback import CURSOR, Opinion, ReviewDecision, Status, Verdict
from gateway.triton.releases import Releases
from gateway.uploads.reading import UploadReader

router = APIRouter(tags=["feedback"])

Expert = Annotated[Caller, Depends(require(Scope.REVIEW))]
FeedbackId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]

_EXAMPLE: dict[str, Any] = {
    "feedback_id": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "prediction_id": "5f0c6c9b8f6f4a0f9f8b1c2d3e4f5a6b",
    "created_at": "2026-11-21T05:43:10.500000Z",
    "verdict": "wrong",
    "class_key": "cmd",
    "comment": "Typical mosaic on the young leaves.",
    "status": "pending",
    "photo_kept": True,
}
_ITEM: dict[str, Any] = {
    **_EXAMPLE,
    "confirmed_class_key": None,
    "reviewed_at": None,
    "reviewed_by": None,
    "predicted_at": "2026-11-21T05:41:24.120000Z",
    "predicted_class_key": "cbb",
    "confidence": 0.91,
    "decision": "accepted",
    "probabilities": {"cbb": 0.91, "cbsd": 0.02, "cgm": 0.01, "cmd": 0.03, "healthy": 0.03},
    "task": "cassava",
    "release": 3,
}
_REVIEWED: dict[str, Any] = {
    **_ITEM,
    "status": "confirmed",
    "confirmed_class_key": "cmd",
    "reviewed_at": "2026-11-21T09:12:00Z",
    "reviewed_by": "key:1f2e3d4c",
}


class FeedbackReply(BaseModel):
    """What somebody says about one answer, as it is stored."""

    feedback_id: str
    prediction_id: str
    created_at: datetime = Field(description="UTC.")
    verdict: Verdict
    class_key: str | None
    comment: str | None
    status: Status = Field(description="pending until an expert has confirmed or dismissed it.")
    photo_kept: bool = Field(description="Whether the photo is kept, or is about to be.")


class FeedbackItem(FeedbackReply):
    """The same for an expert, with the prediction that it is about."""

    confirmed_class_key: str | None = Field(description="What it is, as an expert has settled it.")
    reviewed_at: datetime | None
    reviewed_by: str | None = Field(description="Kind and subject of the expert's credential.")
    predicted_at: datetime
    predicted_class_key: str
    confidence: float
    decision: str
    probabilities: dict[str, float]
    task: str
    release: int


class FeedbackPage(BaseModel):
    """One page of feedback, the oldest first."""

    items: list[FeedbackItem]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")
    total: int = Field(description="Of all pages.")


class Review(BaseModel):
    """What an expert makes of a feedback."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"decision": "correct", "class_key": "cmd"}]}
    )

    decision: ReviewDecision = Field(
        description="confirm: it is as the user says; correct: it is `class_key`; dismiss: not to be used."
    )
    class_key: str | None = Field(
        default=None,
        max_length=80,
        description="Needed to correct, and to confirm where the user named no class. With confirm: the class that was "
        "shown, so that a change in the meantime is noticed.",
    )


def _feedback(row: Row[Any], photo_kept: bool) -> FeedbackReply:
    return FeedbackReply(
        feedback_id=row.id,
        prediction_id=row.prediction_id,
        created_at=row.created_at,
        verdict=row.verdict,
        class_key=row.class_key,
        comment=row.comment,
        status=row.status,
        photo_kept=photo_kept,
    )


def _item(row: Row[Any]) -> FeedbackItem:
    return FeedbackItem(
        **_feedback(row, row.photo_kept).model_dump(),
        confirmed_class_key=row.confirmed_class_key,
        reviewed_at=row.reviewed_at,
        reviewed_by=row.reviewed_by,
        predicted_at=row.predicted_created_at,
        predicted_class_key=row.predicted_class_key,
        confidence=row.predicted_confidence,
        decision=row.predicted_decision,
        probabilities=row.predicted_probabilities,
        task=row.predicted_task,
        release=row.predicted_release_number,
    )


def _inlined(model: type[BaseModel]) -> dict[str, Any]:
    return {"schema": model.model_json_schema()}


@router.post(
    "/v1/feedback",
    summary="Say whether an answer was right",
    response_model=FeedbackReply,
    status_code=201,
    responses={
        **answer(FeedbackReply, "It replaces this caller's earlier feedback on the prediction.", _EXAMPLE),
        201: {"description": "It is stored.", "content": {"application/json": {"example": _EXAMPLE}}},
        **problems(
            *(MalformedUpload, UnknownPrediction, ReceiveTimeout, FeedbackConflict, UploadTooLarge, InvalidRequest),
            *(UnknownClass, PhotoMismatch, Overloaded, NotReady, RecordsUnavailable),
        ),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": _inlined(FeedbackBody), "multipart/form-data": _inlined(FeedbackForm)},
        }
    },
)
async def give_feedback(request: Request, response: Response, caller: Asker, records: RecordsDep) -> FeedbackReply:
    """One feedback per prediction and caller: a second one replaces the first until an expert has reviewed it.

    As a form it may bring the photo that was sent before, with `keep_photo=true`, where its owner lets it be kept;
    `photo_kept` in the reply says whether it is.
    """
    uploads: UploadReader = request.app.state.uploads
    releases: Releases = request.app.state.releases
    with uploads.lease(caller.identity) as lease:
        form = await read_feedback(request, uploads, lambda: releases.chosen().limits.max_bytes, lease)
        row = await records.prediction(form.prediction_id, caller)
        if form.photo is not None and hashlib.sha256(form.photo).hexdigest() != row.photo_sha256:
            raise PhotoMismatch("This is not the file that the prediction was made from. Send the same file again.")
        said, first = await records.give_feedback(row, caller, Opinion(form.verdict, form.class_key, form.comment))
        photo_kept = row.photo_kept
        if form.keep_photo and form.photo is not None and not photo_kept:
            photo_kept = await records.keep_photo(row, form.photo)
    response.status_code = 201 if first else 200
    return _feedback(said, photo_kept)


@router.get(
    "/v1/feedback",
    summary="Feedback for experts",
    responses={
        **answer(FeedbackPage, "One page.", {"items": [_ITEM], "next_cursor": None, "total": 1}),
        **problems(InvalidRequest, RecordsUnavailable),
    },
)
async def list_feedback(
    caller: Expert,  # noqa: ARG001
    records: RecordsDep,
    status: Status | None = None,
    verdict: Verdict | None = None,
    cursor: Annotated[str | None, Query(pattern=CURSOR, description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> FeedbackPage:
    """Feedback with the predictions it is about, the oldest first; needs the scope review."""
    rows, next_cursor, total = await records.feedback_page(status, verdict, cursor, limit)
    return FeedbackPage(items=[_item(row) for row in rows], next_cursor=next_cursor, total=total)


@router.post(
    "/v1/feedback/{feedback_id}/review",
    summary="Confirm, correct or dismiss",
    responses={
        **answer(FeedbackItem, "It is settled.", _REVIEWED),
        **problems(UnknownFeedback, FeedbackConflict, InvalidRequest, UnknownClass, RecordsUnavailable),
    },
)
async def review_feedback(feedback_id: FeedbackId, review: Review, caller: Expert, records: RecordsDep) -> FeedbackItem:
    """Settle a feedback; what is confirmed can be exported to learn from. A later review replaces an earlier one."""
    return _item(await records.review(feedback_id, review.decision, review.class_key, caller))


@router.get(
    "/v1/feedback/{feedback_id}/photo",
    summary="The photo that a feedback is about",
    response_class=Response,
    responses={
        200: {
            "content": {
                "image/jpeg": {"schema": BINARY, "example": "FF D8 FF E0 00 10 4A 46 49 46 ... (the bytes of a JPEG)"}
            },
            "description": "The photo.",
        },
        **problems(UnknownFeedback, RecordsUnavailable),
    },
)
async def feedback_photo(feedback_id: FeedbackId, caller: Expert, records: RecordsDep) -> Response:  # noqa: ARG001
    """The kept photo: upright, at most 2048 pixels, without metadata."""
    photo = await records.feedback_photo(feedback_id)
    if photo is None:
        raise UnknownFeedback("The photo of this prediction is not kept.")
    return Response(
        photo,
        media_type="image/jpeg",
        headers={"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"},
    )
