"""Forgets what is old: predictions with feedback and photos past their time, and files that nothing refers to."""

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine, func, select

from gateway.database import write
from gateway.database.schema import feedback, predictions
from gateway.records import deletions
from gateway.records.belonging import belong_together
from gateway.records.photos import PhotoStore
from gateway.records.predictions import delete_older, with_kept_photo
from gateway.records.writing import is_down
from gateway.settings import Settings

log = structlog.get_logger()

_DAY_S = 24 * 60 * 60
_FIRST_AFTER_S = (60, 600)  # not all workers at once, and not while the gateway starts
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Purged:
    """How many of each were deleted, or would be."""

    predictions: int
    feedback: int
    photos: int
    """Kept photos of these predictions."""
    orphans: int
    """Files without a prediction, left by a process that was killed."""


def purge(
    engine: Engine,
    photos: PhotoStore,
    older_than_days: int,
    dry_run: bool = False,
    stopped: threading.Event | None = None,
) -> Purged:
    """Delete what is older; safe beside running gateways and other purges. Blocks.

    Args:
        engine: of the database.
        photos: where photos are kept.
        older_than_days: days; 0 deletes orphans only, and these only where the folder is the database's own.
        dry_run: only count.
        stopped: once set, it ends within one batch.

    Raises:
        sqlalchemy.exc.DBAPIError: the database does not answer; what was deleted until then stays deleted.
    """
    stopped = stopped or threading.Event()
    before = datetime.now(UTC) - timedelta(days=older_than_days)
    found = Purged(0, 0, 0, 0)
    if older_than_days:
        with engine.connect() as connection:
            found = _count_older(connection, before)
        deleted = 0 if dry_run else _delete_older(engine, photos, before, stopped)
        if not dry_run:
            found = Purged(deleted, found.feedback, found.photos, 0)
    if not dry_run:
        with write(engine) as connection:
            deletions.forget(connection)
    orphans = 0
    for path in _orphans(engine, photos) if belong_together(engine, photos) else ():
        if stopped.is_set():
            break
        orphans += 1
        if not dry_run:
            path.unlink(missing_ok=True)
    return Purged(found.predictions, found.feedback, found.photos, orphans)


async def purge_daily(engine: Engine, settings: Settings) -> None:
    """Purge once a day until cancelled; any number of workers may do so."""
    photos = PhotoStore(settings.data_dir / "photos")
    stopped = threading.Event()
    try:
        with _failures_told():
            await asyncio.to_thread(belong_together, engine, photos)
        await asyncio.sleep(random.uniform(*_FIRST_AFTER_S))
        while True:
            started = time.monotonic()
            await _purge_once(engine, photos, settings.retention_days, stopped)
            await asyncio.sleep(max(0.0, _DAY_S - (time.monotonic() - started)))
    finally:
        stopped.set()  # the thread would go on


async def _purge_once(engine: Engine, photos: PhotoStore, days: int, stopped: threading.Event) -> None:
    with _failures_told():
        purged = await asyncio.to_thread(purge, engine, photos, days, stopped=stopped)
        log.info("purged", **asdict(purged))


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.error("photos cannot be purged", reason=str(error))
    except Exception as error:
        if is_down(error):
            log.warning("database down, not purged")
        else:
            log.exception("purging is defective")


def _count_older(connection: Connection, before: datetime) -> Purged:
    old = predictions.c.created_at < before
    kept = old & predictions.c.photo_kept.is_(True)
    about_old = select(func.count()).select_from(feedback.join(predictions)).where(old)
    return Purged(
        connection.execute(select(func.count()).select_from(predictions).where(old)).scalar_one(),
        connection.execute(about_old).scalar_one(),
        connection.execute(select(func.count()).select_from(predictions).where(kept)).scalar_one(),
        0,
    )


def _delete_older(engine: Engine, photos: PhotoStore, before: datetime, stopped: threading.Event) -> int:
    total = 0
    while not stopped.is_set():
        with write(engine) as connection:  # many small transactions: answers are recorded meanwhile
            deleted = delete_older(connection, before, photos)
        if not deleted:
            break
        total += deleted
    return total


def _orphans(engine: Engine, photos: PhotoStore) -> Iterator[Path]:
    """Files a day old that no prediction knows; younger ones may belong to one that waits to be written."""
    files = photos.settled(_DAY_S)
    while chunk := list(islice(files, _AT_ONCE)):
        ids = [prediction_id for _, prediction_id in chunk if prediction_id is not None]
        with engine.connect() as connection:
            known = with_kept_photo(connection, ids)
        yield from (path for path, prediction_id in chunk if prediction_id not in known)
