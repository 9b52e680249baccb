"""One photo, one answer."""

import asyncio
import time
from typing import Any

import structlog
from starlette.requests import Request

from gateway.disconnects import cancelled_on_disconnect
from gateway.errors import DeadlineExceeded
from gateway.predictions.parts import Parts
from gateway.predictions.question import Question
from gateway.predictions.wording import word_outcome


async def predict(parts: Parts, request: Request, question: Question) -> tuple[dict[str, Any], str]:
    """Answer one upload.

    Returns:
        The body of a `Prediction`, and the language of its names.

    Raises:
        Problem: of the upload, of the photo, of Triton, or because there is too much work.
    """
    started = time.perf_counter()
    parts.slots.require_one()
    with parts.uploads.lease(request.state.caller.identity) as lease:
        release = parts.answering.choose(question)
        await parts.charge(request, 1, 0)
        upload = await parts.uploads.read_one(request, release.limits, lease)
        receive_s = time.perf_counter() - started
        explanation = None
        with parts.slots.one():
            try:
                async with cancelled_on_disconnect(request.receive), asyncio.timeout(parts.settings.request_deadline_s):
                    outcome = await parts.answering.answer(upload, release, question)
                    if question.explain:
                        explanation = await parts.answering.explain(outcome, outcome.class_id, question)
            except TimeoutError as error:
                raise DeadlineExceeded("The answer took too long. Try again in a few seconds.") from error
    with parts.traces.stage("respond"):
        reply, language = word_outcome(outcome, question, receive_s, explanation)
        parts.journal.note(outcome, question, reply, language)
    structlog.contextvars.bind_contextvars(
        prediction_id=reply["prediction_id"],
        release=reply["release"],
        decision=reply["decision"],
        upload_bytes=len(upload.data),
        timings_ms=reply["timings_ms"],
    )
    return reply, language
