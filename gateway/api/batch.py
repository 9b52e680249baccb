"""`POST /v1/predict:batch`: several photos, each with its own answer or problem."""

from fastapi import APIRouter, Depends, Request, Response

from gateway.access.admission import require
from gateway.access.caller import Scope
from gateway.api.dependencies import Explain, KeepPhoto, PartsDep, worded_json
from gateway.api.documentation import INFERRING, LANGUAGE, RECEIVING, answer, photo_form, problems
from gateway.api.examples import BATCH
from gateway.errors import InvalidRequest, TooManyPhotos
from gateway.predictions import batch
from gateway.predictions.batch import MOST_PHOTOS, Batch
from gateway.predictions.question import ask

router = APIRouter(tags=["photos"], dependencies=[Depends(require(Scope.PREDICT, for_photos=True))])


@router.post(
    "/v1/predict:batch",
    summary="Diagnose several leaf photos, each for itself",
    responses={
        **answer(Batch, "A prediction or a problem for each photo, in the order of the form.", BATCH),
        **problems(*RECEIVING, *INFERRING, InvalidRequest, TooManyPhotos),
    },
    openapi_extra={"parameters": [LANGUAGE], "requestBody": photo_form(MOST_PHOTOS)},
)
async def predict_batch(
    request: Request, parts: PartsDep, explain: Explain = False, keep_photo: KeepPhoto = False
) -> Response:
    """Diagnose up to 16 photos of one form, sent as parts named `file`; each counts as one towards the caller's share.

    Where the service has failed every one of them, the whole request is answered with that problem, to be sent again.
    """
    return worded_json(*await batch.predict_batch(parts, request, ask(request, "batch", explain, keep_photo)))
