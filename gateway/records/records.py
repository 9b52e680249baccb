"""What the routes ask of the record: predictions, feedback, deletion."""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, Row
from sqlalchemy.exc import IntegrityError

from gateway.access.caller import Caller, Scope
from gateway.access.secret import keyed_hash
from gateway.errors import RecordsUnavailable, UnknownPrediction
from gateway.records import deletions, feedback, predictions
from gateway.records.feedback import Opinion, ReviewDecision, Status, Verdict
from gateway.records.photos import PhotoStore
from gateway.records.recorder import Recorder
from gateway.records.rows import storable
from gateway.records.store import Store
from gateway.settings import Settings

_UNKNOWN = "There is no such prediction here, or it is not yours. It may have been deleted, or be too old."
_NOT_FLUSHED = "The latest predictions are not in the record yet. Try again in a few seconds."
_COMMENT_LETTERS = 500
_REVIEWER_LETTERS = 160


class Records:
    """The record of one gateway, as far as a caller may see it; shared by all requests of the process."""

    def __init__(self, settings: Settings, engine: Engine, secret: bytes, recorder: Recorder) -> None:
        self.photos = PhotoStore(settings.data_dir / "photos")
        self._store = Store(engine)
        self._secret = secret
        self._recorder = recorder
        self._photos_allowed = settings.keep_photos != "never"
        self._another_flush_s = settings.flush_interval_s * 1.5

    def close(self) -> None:
        """Stop the threads."""
        self._store.close()

    def client_of(self, caller: Caller) -> str:
        """The keyed hash under which a caller's predictions and feedback are stored."""
        return keyed_hash(self._secret, caller.identity)

    async def prediction(self, prediction_id: str, caller: Caller) -> Row[Any]:
        """One prediction; one that was answered a moment ago is waited for.

        Raises:
            UnknownPrediction: also where it is somebody else's, so that ids tell nothing.
            RecordsUnavailable
        """
        row = await self._store.read(predictions.find_prediction, prediction_id)
        if row is None:
            flushed = await self._recorder.flush()
            row = await self._store.read(predictions.find_prediction, prediction_id)
            if row is None and not flushed:  # it may be among those that wait
                raise RecordsUnavailable(_NOT_FLUSHED)
        if row is None:  # another worker may hold it until its next flush
            await asyncio.sleep(self._another_flush_s)
            row = await self._store.read(predictions.find_prediction, prediction_id)
        if row is None or not predictions.belongs_to(row, caller, self.client_of(caller)):
            raise UnknownPrediction(_UNKNOWN)
        return row

    async def delete(self, prediction_id: str, caller: Caller) -> None:
        """Delete a prediction with its feedback and photo.

        Raises:
            UnknownPrediction, RecordsUnavailable
        """
        try:
            await self.prediction(prediction_id, caller)
        except UnknownPrediction as unknown:  # or a worker that cannot reach the database holds it
            whose = None if Scope.ADMIN in caller.scopes else self.client_of(caller)
            await self._store.write(deletions.note, prediction_id, whose)
            raise UnknownPrediction(f"{_UNKNOWN} If it is yours and not stored yet, it never will be.") from unknown
        deleted = await self._store.write(predictions.delete_prediction, prediction_id, self.photos)
        await self._remove_photos([prediction_id])
        if not deleted:
            raise UnknownPrediction(_UNKNOWN)

    async def delete_all_of(self, caller: Caller) -> int:
        """Delete everything that was answered to a caller until now; returns the number of predictions.

        What other workers still hold is not counted, and never stored.

        Raises:
            RecordsUnavailable
        """
        if not await self._recorder.flush():
            raise RecordsUnavailable(_NOT_FLUSHED)
        await asyncio.sleep(self._another_flush_s)  # the other workers' too
        deleted = await self._store.write(predictions.delete_of_client, self.client_of(caller), self.photos)
        await self._remove_photos(deleted)
        return len(deleted)

    async def give_feedback(self, row: Row[Any], caller: Caller, opinion: Opinion) -> tuple[Row[Any], bool]:
        """Store what a caller says about a prediction; the feedback's row, and whether it is the caller's first.

        Raises:
            UnknownClass, FeedbackConflict, RecordsUnavailable
            UnknownPrediction: deleted in the same moment.
        """
        comment = storable(opinion.comment, _COMMENT_LETTERS) if opinion.comment else None
        opinion = Opinion(opinion.verdict, opinion.class_key, comment)
        for _ in range(2):
            try:
                return await self._store.write(feedback.give, row, self.client_of(caller), opinion)
            except IntegrityError:  # the same caller said so twice at once, or the prediction is gone
                continue
        raise UnknownPrediction(_UNKNOWN)

    async def keep_photo(self, row: Row[Any], photo: bytes) -> bool:
        """Keep the photo of a recorded prediction; False where it cannot be, or none is ever kept."""
        return self._photos_allowed and await self._recorder.keep_photo(row.id, photo, row.width, row.height)

    async def feedback_page(
        self, status: Status | None, verdict: Verdict | None, cursor: str | None, most: int
    ) -> tuple[Sequence[Row[Any]], str | None, int]:
        """Feedback for experts; see `feedback.page`."""
        return await self._store.read(feedback.page, status, verdict, cursor, most)

    async def review(
        self, feedback_id: str, decision: ReviewDecision, class_key: str | None, expert: Caller
    ) -> Row[Any]:
        """Settle feedback; see `feedback.review`."""
        reviewer = storable(f"{expert.kind}:{expert.subject}", _REVIEWER_LETTERS)
        return await self._store.write(feedback.review, feedback_id, decision, class_key, reviewer)

    async def feedback_photo(self, feedback_id: str) -> bytes | None:
        """The kept photo that a feedback is about, or None.

        Raises:
            UnknownFeedback, RecordsUnavailable
        """
        row = await self._store.read(feedback.find, feedback_id)
        return await asyncio.to_thread(self.photos.read, row.prediction_id)

    async def _remove_photos(self, ids: Sequence[str]) -> None:
        """Once more: one may have been made while its row was being deleted."""

        def remove() -> None:
            for prediction_id in ids:
                self.photos.remove(prediction_id)

        await asyncio.to_thread(remove)
