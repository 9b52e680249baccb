"""SQL on recorded predictions: look up, delete with photo and feedback."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, select

from gateway.access.caller import Caller, Scope
from gateway.database.schema import feedback, predictions
from gateway.records import deletions
from gateway.records.entry import NAMELESS
from gateway.records.photos import PhotoStore

_BATCH = 500


def find_prediction(connection: Connection, prediction_id: str) -> Row[Any] | None:
    """The row of one prediction."""
    return connection.execute(select(predictions).where(predictions.c.id == prediction_id)).first()


def belongs_to(row: Row[Any], caller: Caller, client: str) -> bool:
    """Whether a caller may see and delete a prediction.

    What was answered to nobody in particular belongs to whoever knows its id, which nobody can guess.

    Args:
        row: of `predictions`.
        caller: who asks.
        client: keyed hash of the caller's identity.
    """
    return row.client == client or row.caller_kind in NAMELESS or Scope.ADMIN in caller.scopes


def delete_prediction(connection: Connection, prediction_id: str, photos: PhotoStore) -> bool:
    """Delete one for good, with its feedback and photo; False where it is gone already."""
    deletions.note(connection, prediction_id)
    return delete_predictions(connection, [prediction_id], photos) > 0


def delete_predictions(connection: Connection, ids: Sequence[str], photos: PhotoStore) -> int:
    """Delete predictions with their feedback and photos; returns how many there were.

    Photos go first: should the rest fail, what remains is a row without its picture, and the caller is told.
    """
    for prediction_id in ids:
        photos.remove(prediction_id)
    connection.execute(delete(feedback).where(feedback.c.prediction_id.in_(ids)))
    return connection.execute(delete(predictions).where(predictions.c.id.in_(ids))).rowcount


def delete_of_client(connection: Connection, client: str, photos: PhotoStore) -> list[str]:
    """Delete for good what a caller was answered until now, and its feedback on other predictions; returns the ids."""
    deletions.note(connection, client)
    connection.execute(delete(feedback).where(feedback.c.client == client))
    deleted: list[str] = []
    for ids in _batches(connection, predictions.c.client == client):
        delete_predictions(connection, ids, photos)
        deleted += ids
    return deleted


def delete_older(connection: Connection, moment: datetime, photos: PhotoStore) -> int:
    """Delete up to 500 predictions from before `moment`; returns how many, 0 when none is left."""
    ids = next(_batches(connection, predictions.c.created_at < moment), [])
    return delete_predictions(connection, ids, photos) if ids else 0


def with_kept_photo(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of `ids`, 500 at most, that have a row saying that its photo is kept."""
    known = predictions.c.id.in_(ids) & predictions.c.photo_kept.is_(True)
    return set(connection.execute(select(predictions.c.id).where(known)).scalars())


def _batches(connection: Connection, condition: ColumnElement[bool]) -> Iterator[list[str]]:
    """Ids by condition, in pieces that every database takes as parameters; each piece is to be deleted."""
    while ids := list(connection.execute(select(predictions.c.id).where(condition).limit(_BATCH)).scalars()):
        yield ids
