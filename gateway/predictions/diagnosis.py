"""Photos of one plant to one answer, with the evidence of each."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import structlog
from starlette.requests import Request

from gateway.disconnects import cancelled_on_disconnect
from gateway.errors import DeadlineExceeded, NoUsablePhoto, Problem, ReleaseGone
from gateway.languages import choose_language
from gateway.predictions.diagnosis_reply import MOST_PHOTOS, word_diagnosis
from gateway.predictions.group import Group, failed_item, for_each, received_group, service_failed
from gateway.predictions.outcome import Outcome
from gateway.predictions.parts import Parts
from gateway.predictions.pooling import pool
from gateway.predictions.question import Question
from gateway.predictions.wording import word_outcome
from gateway.triton.release import Release
from gateway.uploads.multipart import Upload

_Results = list[Outcome | Problem]


async def diagnose(parts: Parts, request: Request, question: Question) -> tuple[dict[str, Any], str]:
    """Answer the photos of one plant together.

    Returns:
        The body of a `Diagnosis`, and the language of its names.

    Raises:
        NoUsablePhoto: each photo has a problem of its own.
        Problem: the request as a whole cannot be answered, or the service has failed where no photo was answered.
    """
    async with received_group(parts, request, question, MOST_PHOTOS) as group:
        try:
            async with cancelled_on_disconnect(request.receive), asyncio.timeout_at(group.deadline.whole):
                release, results = await _answer_by_one_release(parts, group, question)
                answered_at = time.perf_counter()
                places = [place for place, result in enumerate(results) if isinstance(result, Outcome)]
                outcomes = [result for result in results if isinstance(result, Outcome)]
                if not outcomes:
                    raise _why_none(parts, group, results, request)
                pooled = pool(outcomes)
                explanations = await _explain(parts, outcomes, pooled.class_id, question)
        except TimeoutError as error:
            raise DeadlineExceeded("The answer took too long. Try again, with fewer photos.") from error
    with parts.traces.stage("respond"):
        items: list[dict[str, Any]] = [
            {**failed_item(parts, group, index, result, request), "used": False} if isinstance(result, Problem) else {}
            for index, result in enumerate(results)
        ]
        for position, (place, outcome, explanation) in enumerate(zip(places, outcomes, explanations, strict=True)):
            prediction, language = word_outcome(outcome, question, group.receive_s, explanation, answered_at)
            parts.journal.note(outcome, question, prediction, language)
            items[place] = {
                "index": place,
                "file_name": outcome.upload.file_name,
                "prediction": prediction,
                "used": position in pooled.used,
            }
        language = choose_language(question.accept_language, release.languages)
        last = max(outcomes, key=lambda outcome: outcome.inferred_at)
        reply = word_diagnosis(release, pooled, language) | {
            "diagnosis_id": question.group_id,
            "request_id": question.request_id,
            "timings_ms": last.timings_ms(group.receive_s, time.perf_counter() - last.inferred_at),
            "quality": [hint for hint in outcomes[0].quality if all(hint in outcome.quality for outcome in outcomes)],
            "photos": items,
        }
    structlog.contextvars.bind_contextvars(
        diagnosis_id=question.group_id,
        release=release.number,
        decision=reply["decision"],
        photos=len(items),
        photos_used=reply["photos_used"],
        upload_bytes=sum(len(upload.data) for upload in group.uploads),
        timings_ms=reply["timings_ms"],
    )
    return reply, language


async def _answer_by_one_release(parts: Parts, group: Group, question: Question) -> tuple[Release, _Results]:
    """All photos by the release that was chosen; where it was unloaded meanwhile, all anew by its successor."""
    release = group.release
    try:
        return release, await _answer_by(parts, group, release, question)
    except ReleaseGone:
        release = await parts.answering.successor(release)
        return release, await _answer_by(parts, group, release, question)


async def _answer_by(parts: Parts, group: Group, release: Release, question: Question) -> _Results:
    async def one(upload: Upload, turn_s: float) -> Outcome:
        return await parts.answering.answer(upload, release, question, pinned=True, turn_s=turn_s)

    results = await for_each(parts.slots, group, one)
    for result in results:
        if isinstance(result, ReleaseGone):
            raise result
    return results


def _why_none(parts: Parts, group: Group, results: _Results, request: Request) -> Problem:
    problems = [result for result in results if isinstance(result, Problem)]
    for problem in problems:
        if service_failed(problem):  # sent again later, that photo may do
            return problem
    items = [failed_item(parts, group, index, problem, request) for index, problem in enumerate(problems)]
    return NoUsablePhoto("None of the photos can be used; `photos` says why. Take them again.", items)


async def _explain(
    parts: Parts, outcomes: Sequence[Outcome], class_id: int, question: Question
) -> Sequence[dict[str, Any] | None]:
    if not question.explain:
        return [None] * len(outcomes)
    return await asyncio.gather(*(parts.answering.explain(outcome, class_id, question) for outcome in outcomes))
