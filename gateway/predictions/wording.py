"""One photo's outcome as a `Prediction` in the caller's language."""

import time
from typing import Any

from gateway.languages import choose_language
from gateway.predictions.journal import new_id
from gateway.predictions.outcome import Outcome
from gateway.predictions.question import Question
from gateway.predictions.replies import word_prediction


def word_outcome(
    outcome: Outcome,
    question: Question,
    receive_s: float,
    explanation: dict[str, Any] | None = None,
    respond_from: float | None = None,
) -> tuple[dict[str, Any], str]:
    """The reply and the language of its names.

    Args:
        receive_s: seconds until the whole request had arrived.
        explanation: where one was asked for and made.
        respond_from: when wording could begin, as of time.perf_counter(); None: right after the inference.
    """
    language = choose_language(question.accept_language, outcome.release.languages)
    reply = word_prediction(outcome.release, outcome.answer, language, outcome.quality)
    reply["prediction_id"] = new_id()
    reply["request_id"] = question.request_id
    reply["explanation"] = explanation
    since = outcome.inferred_at if respond_from is None else respond_from
    reply["timings_ms"] = outcome.timings_ms(receive_s, time.perf_counter() - since)
    return reply, language
