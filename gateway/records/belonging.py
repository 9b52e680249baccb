"""Whether the folder of photos and the database belong together: to any other database all photos look forgotten."""

from itertools import islice

import structlog
from sqlalchemy import Connection, Engine, select

from gateway.database.schema import installation, predictions
from gateway.records.photos import PhotoStore
from gateway.records.predictions import with_kept_photo

log = structlog.get_logger()

_AT_ONCE = 500


def belong_together(engine: Engine, photos: PhotoStore) -> bool:
    """Compare the folder's mark with the database's id; an error is logged where they differ. Blocks.

    A folder without a mark is marked where it is empty, or holds a photo that the database knows.

    Raises:
        OSError: the folder cannot be read or marked.
        sqlalchemy.exc.DBAPIError: the database does not answer.
    """
    mark = photos.read_mark()
    with engine.connect() as connection:
        ours: str = connection.execute(select(installation.c.id)).scalar_one()
        if mark is None and _is_found_to_be_ours(connection, photos):
            photos.mark(ours)
            mark = ours
    if mark != ours:
        log.error(
            "the photos are not this database's; files without a prediction stay",
            folder=str(photos.folder),
            mark=mark,
            database=ours,
            hint="Check GATEWAY_DATA_DIR and GATEWAY_DATABASE_URL; several machines need one shared folder. "
            f"If both are right, write the database's id into {photos.mark_path}.",
        )
    return mark == ours


def _is_found_to_be_ours(connection: Connection, photos: PhotoStore) -> bool:
    ids = (prediction_id for _, prediction_id in photos.settled(0) if prediction_id is not None)
    empty = True
    while some := list(islice(ids, _AT_ONCE)):
        empty = False
        if with_kept_photo(connection, some):
            return True
    kept = select(predictions.c.id).where(predictions.c.photo_kept.is_(True)).limit(1)
    return empty and not connection.execute(kept).all()
