"""All tables, in types that SQLite and PostgreSQL share.

::

    updates     the inbox: what Telegram brought, until it is worked off; then only that it was there
    people      language chosen by a person; a keyed hash of the id, nothing else
    answers     what the buttons below an answer need

Times are UTC: stored without a zone, and aware in Python.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware `datetime` in Python, the same moment in UTC without a zone in the database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To the database.

        Raises:
            ValueError: a time without a zone, which could mean anything.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs a zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """From the database."""
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

updates = Table(
    "updates",
    metadata,
    Column("update_id", BigInteger, primary_key=True, autoincrement=False, doc="Telegram's; a repetition has the same"),
    Column("received_at", UtcDateTime, nullable=False, index=True),
    Column("lane", String(40), doc="what has to go in order: the chat, or the buttons of it; emptied with the content"),
    Column("album", String(64), doc="media_group_id; emptied with the content"),
    Column("content", Text, doc="the update as JSON; emptied when it is worked off"),
    Column("due_at", UtcDateTime, nullable=False, doc="not to be worked on before"),
    Column("attempts", Integer, nullable=False, doc="that ended in an unexpected error"),
    Column("message_id", BigInteger, doc="of the bot's message that becomes the answer; emptied with the content"),
    Column("person", String(64), doc="keyed hash, on photos, until they no longer count towards the limit"),
    Column(
        "admitted", Boolean(create_constraint=False), doc="whether the person may send this photo; null: not looked at"
    ),
    Column("done_at", UtcDateTime, doc="null: still to do"),
)
Index(
    "ix_updates_to_do",
    updates.c.lane,
    updates.c.update_id,
    sqlite_where=updates.c.done_at.is_(None),
    postgresql_where=updates.c.done_at.is_(None),
)
Index("ix_updates_album", updates.c.lane, updates.c.album)
Index("ix_updates_person_received_at", updates.c.person, updates.c.received_at)

people = Table(
    "people",
    metadata,
    Column("person", String(64), primary_key=True, doc="keyed hash of the Telegram id"),
    Column("language", String(8), nullable=False),
    Column("chosen_at", UtcDateTime, nullable=False),
)

answers = Table(
    "answers",
    metadata,
    Column("id", String(16), primary_key=True, doc="in the buttons' callback data"),
    Column("person", String(64), nullable=False, index=True, doc="keyed hash of who asked"),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    Column("prediction_ids", JSON, nullable=False, doc="at the gateway, in the order of the photos that were used"),
    Column("first_photo", String(32), doc="prediction of the photo that the answer replies to, which may be kept"),
    Column("class_keys", JSON, nullable=False, doc="that the buttons offer, in their order"),
    Column("verdict", String(8), doc="correct, wrong or unsure, once it was said"),
)
