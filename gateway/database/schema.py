"""All tables, in types that SQLite, PostgreSQL and SQL Server share.

::

    predictions ──< feedback        what was answered, and whether it was right
    deletions                       of the last days, for what was on its way meanwhile
    api_keys                        who may ask; only hashes of the secrets
    routes                          which releases answer, one row for each task
    route_changes                   what the rows were, and who changed them
    route_locks                     who is changing them now
    shadow_counts                   what shadows said beside what was answered
    installation                    which database this is

Times are UTC: stored without a zone, so that no session's time zone changes a query, and aware in Python.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    Unicode,
    UniqueConstraint,
)
from sqlalchemy.dialects.mssql import DATETIME2


class UtcDateTime(TypeDecorator[datetime]):
    """An aware `datetime` in Python, the same moment in UTC without a zone in the database."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """SQL Server's older DATETIME rounds to 3 ms."""
        return dialect.type_descriptor(DATETIME2() if dialect.name == "mssql" else DateTime())  # type: ignore[no-untyped-call]

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


STAGES = ("receive", "queue", "check", "infer", "respond", "total")
"""Stages of a request; each has a column `<stage>_ms`."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

predictions = Table(
    "predictions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    Column("created_hour", Integer, nullable=False, doc="hours since 1970 in UTC, to group by"),
    Column("request_id", String(64), nullable=False),
    Column("kind", String(16), nullable=False, doc="predict, batch or diagnosis"),
    Column("group_id", String(32), index=True, doc="shared by the photos of one batch or diagnosis"),
    Column("file_name", Unicode(255)),
    Column("photo_sha256", String(64), nullable=False, doc="of the upload as it arrived"),
    Column("photo_bytes", Integer, nullable=False),
    Column("photo_kept", Boolean(create_constraint=False), nullable=False),
    Column("width", Integer, nullable=False, doc="pixels, upright"),
    Column("height", Integer, nullable=False),
    Column("task", String(80), nullable=False),
    Column("release_number", Integer, nullable=False),
    Column("class_key", String(80), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("decision", String(16), nullable=False, doc="accepted, uncertain or rejected"),
    Column("probabilities", JSON, nullable=False, doc="by class key"),
    Column("prediction_set", JSON, nullable=False, doc="class keys"),
    Column("members", JSON, nullable=False, doc="by name, probabilities by class key"),
    Column("quality", JSON, nullable=False, doc="hints"),
    *(Column(f"{stage}_ms", Float) for stage in STAGES),
    Column("language", String(35), nullable=False),
    Column("caller_kind", String(8), nullable=False, doc="open, key, token or page"),
    Column("client", String(32), nullable=False, index=True, doc="keyed hash of the caller's identity"),
    Column("end_user", String(32), doc="keyed hash of the delegated end user"),
)
# Holds all that the dashboard counts by, so that it reads no rows.
Index(
    "ix_predictions_counted",
    *(predictions.c[name] for name in ("created_hour", "release_number", "class_key", "decision", "confidence")),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("prediction_id", String(32), ForeignKey("predictions.id", ondelete="CASCADE"), nullable=False),
    Column("client", String(32), nullable=False, doc="keyed hash of who said so"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("verdict", String(8), nullable=False, doc="correct, wrong or unsure"),
    Column("class_key", String(80), doc="what it is instead, as far as the sender knows"),
    Column("comment", Unicode(500)),
    Column("status", String(16), nullable=False, doc="pending, confirmed or dismissed"),
    Column("confirmed_class_key", String(80), doc="what it is, as settled by an expert"),
    Column("reviewed_at", UtcDateTime),
    Column("reviewed_by", Unicode(160), doc="kind and subject of the expert's credential"),
    UniqueConstraint("prediction_id", "client"),
)
Index("ix_feedback_status_created_at", feedback.c.status, feedback.c.created_at)

installation = Table(
    "installation",
    metadata,
    Column(
        "id", String(32), primary_key=True, doc="of this database, in its only row; its folder of photos names it too"
    ),
)

deletions = Table(
    "deletions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("subject", String(32), nullable=False, index=True, doc="a prediction's id, or keyed hash of a client"),
    Column("client", String(32), doc="keyed hash of who asked, where it was not known whose prediction it is"),
    Column("deleted_at", UtcDateTime, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(8), primary_key=True),
    Column("owner", String(8), nullable=False, doc="id of the first of the keys that replaced each other"),
    Column("name", Unicode(80), nullable=False),
    Column("secret_sha256", String(64), nullable=False),
    Column("scopes", JSON, nullable=False, doc="list of scopes"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
)


def _route_columns(*, key: bool) -> tuple[Column[Any], ...]:
    """A state of a task's route; the table of changes has many of one task."""
    return (
        Column("task", String(80), primary_key=key, nullable=False),
        Column("stable", Integer, nullable=False, doc="release number, like all of them"),
        Column("candidate", Integer),
        Column("candidate_share", Float, nullable=False, doc="percent of callers"),
        Column("shadow", Integer),
        Column("previous", Integer),
        Column("version", Integer, nullable=False, doc="counts changes; who changes must know the last one"),
        Column("changed_at", UtcDateTime, nullable=False),
        Column(
            "changed_by", Unicode(160), nullable=False, doc="kind and subject of the credential, or the shell's user"
        ),
    )


routes = Table("routes", metadata, *_route_columns(key=True))

route_changes = Table(
    "route_changes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("action", String(16), nullable=False),
    Column("reason", Unicode(300), nullable=False),
    *_route_columns(key=False),
)
Index("ix_route_changes_changed_at", route_changes.c.changed_at)

route_locks = Table(
    "route_locks",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("holder", String(32), nullable=False),
    Column("changed_by", Unicode(160), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, doc="a killed holder blocks no longer than this"),
)

shadow_counts = Table(
    "shadow_counts",
    metadata,
    Column("created_hour", Integer, primary_key=True, autoincrement=False, doc="hours since 1970 in UTC"),
    Column("stable", Integer, primary_key=True, autoincrement=False),
    Column("shadow", Integer, primary_key=True, autoincrement=False),
    Column("outcome", String(8), primary_key=True, doc="answered, failed or dropped"),
    *(
        Column(name, String(length), primary_key=True, doc="empty unless answered")
        for name, length in (("class_key", 80), ("decision", 16), ("shadow_class_key", 80), ("shadow_decision", 16))
    ),
    Column("times", Integer, nullable=False),
    Column("infer_ms", Float, nullable=False, doc="of all together"),
    Column("shadow_infer_ms", Float, nullable=False),
)
