"""`POST /v1/predict`: one photo, one answer."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from gateway.access.admission import require
from gateway.access.caller import Scope
from gateway.api.dependencies import Explain, KeepPhoto, PartsDep, worded_json
from gateway.api.documentation import BINARY, INFERRING, LANGUAGE, LOOKING, RECEIVING, answer, problems
from gateway.api.examples import PREDICTION
from gateway.errors import InvalidRequest
from gateway.predictions import single
from gateway.predictions.question import ask
from gateway.predictions.replies import Prediction

router = APIRouter(tags=["photos"], dependencies=[Depends(require(Scope.PREDICT, for_photos=True))])

_DOCUMENTATION: dict[str, Any] = {
    "responses": {
        **answer(Prediction, "What the ensemble sees.", PREDICTION),
        **problems(*RECEIVING, *LOOKING, *INFERRING, InvalidRequest),
    },
    "openapi_extra": {
        "parameters": [LANGUAGE],
        "requestBody": {
            "required": True,
            "content": {
                "image/*": {"schema": BINARY},
                "multipart/form-data": {
                    "schema": {"type": "object", "required": ["file"], "properties": {"file": BINARY}}
                },
            },
        },
    },
}


@router.post("/predict", summary="Diagnose one leaf photo (old name)", deprecated=True, **_DOCUMENTATION)
@router.post("/v1/predict", summary="Diagnose one leaf photo", **_DOCUMENTATION)
async def predict(
    request: Request, parts: PartsDep, explain: Explain = False, keep_photo: KeepPhoto = False
) -> Response:
    """Diagnose the photo in the body, or in the form field `file`."""
    return worded_json(*await single.predict(parts, request, ask(request, "predict", explain, keep_photo)))
