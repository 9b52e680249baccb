"""One batch of the record to the database: whole, or row by row where the database refuses one of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gateway.database import write
from gateway.database.schema import predictions
from gateway.records import deletions
from gateway.records.entry import PredictionEntry
from gateway.records.photos import PhotoStore
from gateway.records.rows import prediction_row

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KeptPhoto:
    """The photo of this prediction is on disk; its row, which was put earlier, has yet to say so."""

    prediction_id: str


@dataclass(frozen=True, slots=True)
class Written:
    """How many entries of a batch are in the database now, or deleted again already, and how many it will never take."""

    written: int
    refused: int


class DatabaseDownError(Exception):
    """The database cannot be used now; the same batch may succeed later."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BatchWriter:
    """Writes entries and kept photos in the order they came."""

    def __init__(self, engine: Engine, photos: PhotoStore) -> None:
        self._engine = engine
        self._photos = photos

    def write(self, batch: Sequence[PredictionEntry | KeptPhoto]) -> Written:
        """Write all of it in one transaction; entries that are there already, or deleted meanwhile, count as written.

        Raises:
            DatabaseDownError: nothing was written, or not all of it; try the whole batch again.
        """
        entries = [item for item in batch if isinstance(item, PredictionEntry)]
        kept = [item.prediction_id for item in batch if isinstance(item, KeptPhoto)]
        try:
            rows = [prediction_row(entry) for entry in entries]
            with write(self._engine) as connection:
                if rows and (wanted := deletions.still_wanted(connection, rows)):
                    connection.execute(insert(predictions), wanted)
                orphans = self._mark(connection, kept)
            result = Written(len(entries), 0)
        except Exception as error:
            _raise_if_down(error)
            result = self._one_by_one(entries)
            with _down_is_told(), write(self._engine) as connection:
                orphans = self._mark(connection, kept)
        for prediction_id in orphans:
            self._photos.remove(prediction_id)
        return result

    def _one_by_one(self, entries: Sequence[PredictionEntry]) -> Written:
        refused = 0
        for entry in entries:
            try:
                row = prediction_row(entry)
                with write(self._engine) as connection:
                    known = select(predictions.c.id).where(predictions.c.id == row["id"])
                    if connection.execute(known).first() is None:  # else an earlier try got through after all
                        for wanted in deletions.still_wanted(connection, [row]):
                            connection.execute(insert(predictions), wanted)
            except Exception as error:
                _raise_if_down(error)
                refused += 1
                log.error("prediction not recorded", prediction_id=entry.prediction_id, reason=_reason(error))
        return Written(len(entries) - refused, refused)

    def _mark(self, connection: Connection, kept: list[str]) -> list[str]:
        """Note kept photos in their rows; returns those whose row was deleted meanwhile."""
        if not kept:
            return []
        known = predictions.c.id.in_(kept)
        connection.execute(update(predictions).where(known).values(photo_kept=True))
        found = set(connection.execute(select(predictions.c.id).where(known)).scalars())
        return [prediction_id for prediction_id in kept if prediction_id not in found]


@contextmanager
def _down_is_told() -> Iterator[None]:
    """A block in which the errors of a database that is down become `DatabaseDownError`."""
    try:
        yield
    except Exception as error:
        _raise_if_down(error)
        raise


def is_down(error: Exception) -> bool:
    """Whether an error speaks of the database as such rather than of a row."""
    if isinstance(error, PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated or error.statement is None:  # lost, or never there
        return True
    if isinstance(error, ProgrammingError):  # said by the server: no such table, no right; by the driver: a bad value
        return getattr(error.orig, "sqlstate", None) is not None or str(error.orig).startswith("('42")
    return isinstance(error, OperationalError | InternalError)


def _raise_if_down(error: Exception) -> None:
    if is_down(error):
        raise DatabaseDownError(_reason(error)) from error


def _reason(error: Any) -> str:
    """The first line of what the driver says; SQLAlchemy's own text would repeat the row."""
    return str(getattr(error, "orig", None) or type(error).__name__).strip().split("\n")[0]
