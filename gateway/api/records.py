"""Routes on what was answered before: read and delete."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import Row

from gateway.access.admission import require
from gateway.access.caller import Caller, Scope
from gateway.api.documentation import answer, problems
from gateway.database.schema import STAGES
from gateway.errors import InvalidRequest, RecordsUnavailable, UnknownPrediction
from gateway.records.records import Records

router = APIRouter(tags=["record"])


async def records_of(request: Request) -> Records:
    """The record of this gateway."""
    records: Records = request.app.state.records
    return records


RecordsDep = Annotated[Records, Depends(records_of)]
Asker = Annotated[Caller, Depends(require(Scope.PREDICT))]
PredictionId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="From the reply to the photo.")]

_NO_STORE = "private, no-store"
_EXAMPLE = {
    "prediction_id": "5f0c6c9b8f6f4a0f9f8b1c2d3e4f5a6b",
    "created_at": "2026-11-21T05:41:24.120000Z",
    "kind": "predict",
    "group_id": None,
    "file_name": "leaf.jpg",
    "photo_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "photo_bytes": 151203,
    "photo_kept": False,
    "width": 800,
    "height": 600,
    "task": "cassava",
    "release": 3,
    "class_key": "cbb",
    "confidence": 0.91,
    "decision": "accepted",
    "probabilities": {"cbb": 0.91, "cbsd": 0.02, "cgm": 0.01, "cmd": 0.03, "healthy": 0.03},
    "prediction_set": ["cbb"],
    "members": {"efficientnet_b4": {"cbb": 0.9, "cbsd": 0.03, "cgm": 0.01, "cmd": 0.03, "healthy": 0.03}},
    "quality": [],
    "timings_ms": {"receive": 1.0, "check": 2.1, "infer": 88.0, "total": 92.3},
    "language": "en",
}


class PredictionRecord(BaseModel):
    """What is remembered of one answer; classes by key, since names depend on the language."""

    prediction_id: str
    created_at: datetime = Field(description="UTC.")
    kind: str = Field(description="Route that answered: predict, batch or diagnosis.")
    group_id: str | None = Field(description="Shared by the photos of one batch or diagnosis.")
    file_name: str | None
    photo_sha256: str = Field(description="Hex digest of the photo as it arrived.")
    photo_bytes: int
    photo_kept: bool = Field(description="Whether the photo itself is kept.")
    width: int = Field(description="Pixels, upright.")
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


class Deleted(BaseModel):
    """How many predictions there were."""

    deleted: int = Field(ge=0)


def _reply(row: Row[Any]) -> PredictionRecord:
    values = dict(row._mapping)
    stages = {stage: values[f"{stage}_ms"] for stage in STAGES}
    return PredictionRecord(
        prediction_id=row.id,
        release=row.release_number,
        timings_ms={stage: value for stage, value in stages.items() if value is not None},
        **{name: values[name] for name in PredictionRecord.model_fields if name in values},
    )


@router.get(
    "/v1/predictions/{prediction_id}",
    summary="What was answered to one photo",
    responses={
        **answer(PredictionRecord, "What is remembered of it.", _EXAMPLE),
        **problems(UnknownPrediction, RecordsUnavailable),
    },
)
async def get_prediction(
    prediction_id: PredictionId, caller: Asker, records: RecordsDep, response: Response
) -> PredictionRecord:
    """The record of a prediction of one's own; one answered without a key is open to whoever knows its id."""
    response.headers["Cache-Control"] = _NO_STORE
    return _reply(await records.prediction(prediction_id, caller))


@router.delete(
    "/v1/predictions/{prediction_id}",
    summary="Delete one prediction",
    status_code=204,
    responses=problems(UnknownPrediction, RecordsUnavailable),
)
async def delete_prediction(prediction_id: PredictionId, caller: Asker, records: RecordsDep) -> None:
    """Delete the record of a prediction, the feedback on it, and its photo where one was kept."""
    await records.delete(prediction_id, caller)


@router.delete(
    "/v1/predictions",
    summary="Delete everything of one end user",
    openapi_extra={
        "parameters": [
            {
                "name": "X-End-User",
                "in": "header",
                "required": True,
                "schema": {
                    "type": "string",
                    "pattern": r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]{0,126}[^\x00-\x20\x7f])?$",
                },
                "description": "Whose; needs a key with the scope delegate.",
            }
        ]
    },
    responses={
        **answer(Deleted, "All of it is deleted.", {"deleted": 12}),
        **problems(InvalidRequest, RecordsUnavailable),
    },
)
async def delete_predictions(caller: Asker, records: RecordsDep) -> Deleted:
    """Delete all predictions, feedback and photos of the end user that `X-End-User` names."""
    if caller.end_user is None:
        raise InvalidRequest("Name the end user in the header X-End-User, with a key that has the scope delegate.")
    return Deleted(deleted=await records.delete_all_of(caller))
