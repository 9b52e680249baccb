"""`POST /v1/diagnoses`: photos of one plant, one answer."""

from fastapi import APIRouter, Depends, Request, Response

from gateway.access.admission import require
from gateway.access.caller import Scope
from gateway.api.dependencies import Explain, KeepPhoto, PartsDep, worded_json
from gateway.api.documentation import INFERRING, LANGUAGE, RECEIVING, answer, photo_form, problems
from gateway.api.examples import DIAGNOSIS
from gateway.errors import InvalidRequest, NoUsablePhoto, TooManyPhotos
from gateway.predictions import diagnosis
from gateway.predictions.diagnosis_reply import MOST_PHOTOS, Diagnosis
from gateway.predictions.question import ask

router = APIRouter(tags=["photos"], dependencies=[Depends(require(Scope.PREDICT, for_photos=True))])


@router.post(
    "/v1/diagnoses",
    summary="Diagnose one plant from several photos",
    responses={
        **answer(Diagnosis, "What the ensemble sees in all photos together, and in each.", DIAGNOSIS),
        **problems(*RECEIVING, *INFERRING, InvalidRequest, TooManyPhotos, NoUsablePhoto),
    },
    openapi_extra={"parameters": [LANGUAGE], "requestBody": photo_form(MOST_PHOTOS)},
)
async def diagnose(
    request: Request, parts: PartsDep, explain: Explain = False, keep_photo: KeepPhoto = False
) -> Response:
    """Diagnose one plant from 1 to 10 photos of one form, sent as parts named `file`, best of different leaves.

    Probabilities are averaged over the photos; photos that are rejected by themselves have no say. One release answers all.
    """
    return worded_json(*await diagnosis.diagnose(parts, request, ask(request, "diagnosis", explain, keep_photo)))
