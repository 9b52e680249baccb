"""The HTTP routes."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from gateway.prediction import Predictor
from gateway.problems import ProblemBody
from gateway.readiness import Readiness
from gateway.replies import Prediction

router = APIRouter()


async def _predictor(request: Request) -> Predictor:
    predictor: Predictor = request.app.state.predictor
    return predictor


async def _readiness(request: Request) -> Readiness:
    readiness: Readiness = request.app.state.readiness
    return readiness


PredictorDep = Annotated[Predictor, Depends(_predictor)]
ReadinessDep = Annotated[Readiness, Depends(_readiness)]

_PROBLEM_CONTENT = {"application/problem+json": {"schema": ProblemBody.model_json_schema()}}
_PREDICT_STATUSES = {
    400: "The body does not hold one image.",
    408: "The upload did not arrive in time.",
    413: "Too many bytes.",
    415: "Not an accepted image format.",
    422: "An image that cannot be diagnosed: too small, too large, too elongated, several frames, or broken.",
    502: "The inference server failed.",
    503: "Not available now; `Retry-After` says when to try again.",
    504: "No answer in time.",
}
_BINARY = {"type": "string", "format": "binary"}
_PREDICT_DOCUMENTATION: dict[str, Any] = {
    "responses": {
        200: {"model": Prediction, "description": "What the ensemble sees."},
        **{status: {"description": text, "content": _PROBLEM_CONTENT} for status, text in _PREDICT_STATUSES.items()},
    },
    "openapi_extra": {
        "parameters": [
            {
                "name": "Accept-Language",
                "in": "header",
                "schema": {"type": "string"},
                "description": "Language of the class names; English where the release lacks it.",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "image/*": {"schema": _BINARY},
                "multipart/form-data": {
                    "schema": {"type": "object", "required": ["file"], "properties": {"file": _BINARY}}
                },
            },
        },
    },
}


@router.post("/predict", summary="Diagnose one leaf photo (old name)", deprecated=True, **_PREDICT_DOCUMENTATION)
@router.post("/v1/predict", summary="Diagnose one leaf photo", **_PREDICT_DOCUMENTATION)
async def predict(request: Request, predictor: PredictorDep) -> Response:
    """Diagnose the photo in the body, or in the form field `file`."""
    reply, language = await predictor.predict(request, request.state.request_id)
    return Response(
        json.dumps(reply, ensure_ascii=False, allow_nan=False),
        media_type="application/json",
        headers={"Content-Language": language, "Vary": "Accept-Language"},
    )


@router.get("/health", summary="Is the process alive?")
async def health() -> dict[str, str]:
    """Alive as long as this answers; says nothing about Triton."""
    return {"status": "live"}


@router.get(
    "/health/ready",
    summary="Can it answer photos?",
    responses={503: {"description": "Not now.", "content": _PROBLEM_CONTENT}},
)
async def health_ready(readiness: ReadinessDep) -> dict[str, str | int]:
    """Ready when the chosen release has answered an inference within the last seconds."""
    return {"status": "ready", "release": readiness.require().number}
