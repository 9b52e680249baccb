"""Hands every answered photo to the record and to the metrics."""

import uuid
from collections.abc import Callable
from typing import Any

from gateway.access.secret import keyed_hash
from gateway.predictions.outcome import Outcome
from gateway.predictions.question import Question
from gateway.records.entry import PredictionEntry
from gateway.settings import Settings

Taker = Callable[[PredictionEntry], None]
"""Takes an entry at once, without blocking or raising."""


class Journal:
    """Makes the entry of an answered photo and passes it on.

    Args:
        secret: under which callers are hashed.
        takers: whoever wants to know; none is fine.
    """

    def __init__(self, settings: Settings, secret: bytes, *takers: Taker) -> None:
        self._keep = settings.keep_photos
        self._secret = secret
        self._takers = takers

    def note(self, outcome: Outcome, question: Question, reply: dict[str, Any], language: str) -> None:
        """Pass on that `reply`, a `Prediction`, was the answer."""
        if not self._takers:
            return
        entry = self._entry(outcome, question, reply, language)
        for take in self._takers:
            take(entry)

    def _entry(self, outcome: Outcome, question: Question, reply: dict[str, Any], language: str) -> PredictionEntry:
        release, caller = outcome.release, question.caller
        keys = [leaf_class.key for leaf_class in release.classes]
        key_of = dict(zip(release.names[language], keys, strict=True))
        keep = self._keep == "always" or (self._keep == "consent" and question.keep_photo)
        return PredictionEntry(
            prediction_id=reply["prediction_id"],
            request_id=question.request_id,
            kind=question.kind,
            group_id=question.group_id,
            file_name=outcome.upload.file_name,
            photo_sha256=outcome.sha256,
            photo_bytes=len(outcome.upload.data),
            width=outcome.width,
            height=outcome.height,
            task=release.task,
            release=release.number,
            class_key=keys[reply["predicted_class_id"]],
            confidence=reply["confidence"],
            decision=reply["decision"],
            probabilities=_by_key(keys, reply["probabilities"]),
            prediction_set=[key_of[name] for name in reply["prediction_set"]],
            members={member["name"]: _by_key(keys, member["probabilities"]) for member in reply["members"]},
            quality=list(outcome.quality),
            timings_ms=reply["timings_ms"],
            language=language,
            caller_kind=caller.kind,
            client=keyed_hash(self._secret, caller.identity),
            end_user=caller.end_user,
            photo=outcome.upload.data if keep else None,
        )


def new_id() -> str:
    """32 hex digits that nobody can guess: knowing the id of an answer to nobody in particular opens it."""
    return uuid.uuid4().hex


def _by_key(keys: list[str], by_name: dict[str, float]) -> dict[str, float]:
    return dict(zip(keys, by_name.values(), strict=True))
