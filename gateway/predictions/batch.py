"""Several photos, each for itself."""

from typing import Any

import structlog
from pydantic import BaseModel, Field
from starlette.requests import Request

from gateway.disconnects import cancelled_on_disconnect
from gateway.errors import Problem
from gateway.languages import choose_language
from gateway.predictions.group import failed_item, for_each, received_group, service_failed
from gateway.predictions.outcome import Outcome
from gateway.predictions.parts import Parts
from gateway.predictions.question import Question
from gateway.predictions.replies import Prediction
from gateway.predictions.wording import word_outcome
from gateway.problems import ProblemBody
from gateway.uploads.multipart import Upload

MOST_PHOTOS = 16


class BatchItem(BaseModel):
    """One photo of several: its `prediction`, or the `problem` that kept it from one."""

    index: int = Field(ge=0, description="Its place in the form, from 0.")
    file_name: str | None = Field(description="As it was sent, without any path.")
    prediction: Prediction = Field(default=None, description="The answer; absent where there is a problem.")  # type: ignore[assignment]
    problem: ProblemBody = Field(default=None, description="Why there is no answer; absent where there is one.")  # type: ignore[assignment]


class Batch(BaseModel):
    """The answers to several photos, in the order in which they were sent."""

    results: list[BatchItem] = Field(min_length=1, max_length=MOST_PHOTOS)
    batch_id: str = Field(description="`group_id` in the record of each photo.")
    request_id: str


async def predict_batch(parts: Parts, request: Request, question: Question) -> tuple[dict[str, Any], str]:
    """Answer the photos of one form.

    Returns:
        The body of a `Batch`, and the language of its names.

    Raises:
        Problem: the request as a whole cannot be answered, or the service has failed every photo of it.
    """
    async with received_group(parts, request, question, MOST_PHOTOS) as group:

        async def one(upload: Upload, turn_s: float) -> tuple[Outcome, dict[str, Any], str]:
            outcome = await parts.answering.answer(upload, group.release, question, turn_s=turn_s)
            explanation = None
            if question.explain:
                explanation = await parts.answering.explain(outcome, outcome.class_id, question)
            with parts.traces.stage("respond"):
                return outcome, *word_outcome(outcome, question, group.receive_s, explanation)

        async with cancelled_on_disconnect(request.receive):
            results = await for_each(parts.slots, group, one)
    if all(isinstance(result, Problem) and service_failed(result) for result in results):
        assert isinstance(results[0], Problem)
        raise results[0]  # the whole request is worth sending again
    items = []
    for index, result in enumerate(results):
        if isinstance(result, Problem):
            items.append(failed_item(parts, group, index, result, request))
            continue
        outcome, reply, language = result
        parts.journal.note(outcome, question, reply, language)
        items.append({"index": index, "file_name": outcome.upload.file_name, "prediction": reply})
    structlog.contextvars.bind_contextvars(
        batch_id=question.group_id,
        release=group.release.number,
        photos=len(items),
        answered=sum("prediction" in item for item in items),
        upload_bytes=sum(len(upload.data) for upload in group.uploads),
    )
    reply = {"results": items, "batch_id": question.group_id, "request_id": question.request_id}
    return reply, choose_language(question.accept_language, group.release.languages)
