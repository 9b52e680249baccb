"""What was deleted lately: an answer that was on its way to the database meanwhile must not come back."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, text

from gateway.database.schema import deletions
from gateway.records.entry import NAMELESS

KEPT = timedelta(days=7)
"""How long an answer may wait in a gateway that cannot reach the database and still be stopped."""

_LOCK = 0xDE1  # any number that nobody else locks


def note(connection: Connection, subject: str, client: str | None = None) -> None:
    """Remember a deletion; until its transaction ends no other gateway writes answers, so that none slips through.

    Args:
        connection: in the transaction that deletes; call it first.
        subject: a prediction id, or the keyed hash of a client whose answers until now are all deleted.
        client: keyed hash of who asked, where it is not known yet whose prediction it is; None where it is.
    """
    _lock(connection, exclusive=True)
    row = {"id": uuid.uuid4().hex, "subject": subject, "client": client, "deleted_at": datetime.now(UTC)}
    connection.execute(insert(deletions), row)


def still_wanted(connection: Connection, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of `rows`, new ones of `predictions`, that were not deleted while they waited.

    Until the transaction ends nothing is deleted that it may write.
    """
    _lock(connection, exclusive=False)
    subjects = {row[name] for row in rows for name in ("id", "client")} - {None}
    found = connection.execute(select(deletions).where(deletions.c.subject.in_(subjects))).all()
    return [row for row in rows if not any(_concerns(deletion, row) for deletion in found)] if found else list(rows)


def forget(connection: Connection) -> None:
    """Forget deletions that no waiting answer can be as old as."""
    connection.execute(delete(deletions).where(deletions.c.deleted_at < datetime.now(UTC) - KEPT))


def _concerns(deletion: Row[Any], row: dict[str, Any]) -> bool:
    if deletion.subject == row["id"]:
        return deletion.client in (None, row["client"]) or row["caller_kind"] in NAMELESS
    return bool(deletion.subject == row["client"] and row["created_at"] <= deletion.deleted_at)


def _lock(connection: Connection, exclusive: bool) -> None:
    """Writers share it, deletions have it alone, until the transaction ends; SQLite has one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        function = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
        connection.execute(text(f"SELECT {function}(:key)"), {"key": _LOCK})
    elif connection.dialect.name == "mssql":
        connection.execute(
            text("EXEC sp_getapplock @Resource = 'leaf-gateway-deletions', @LockMode = :mode, @LockTimeout = 30000"),
            {"mode": "Exclusive" if exclusive else "Shared"},
        )
