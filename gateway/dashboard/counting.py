"""The dashboard's questions to the database: two grouped counts and one bounded sample, in SQL that every database knows.

Counts are exact. Times come from a sample of answers: ids are random (UUID 4), so those below a cut are a fair draw, the
same at every look and found without a random function or a sort in the database.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Subquery, and_, case, func, select

from gateway.dashboard.periods import Period
from gateway.dashboard.statistics import percentiles
from gateway.dashboard.summary import STATUSES, Percentiles
from gateway.database.schema import STAGES, feedback, predictions

CONFIDENCE_BINS = 20
_RANKS = (50, 95)
_CUT_DIGITS = 8  # hex digits of an id that are compared


@dataclass(frozen=True, slots=True)
class Answered:
    """What answers are counted by."""

    bucket: int
    release: int
    class_key: str
    decision: str
    confidence_bin: int


@dataclass(frozen=True, slots=True)
class Said:
    """What feedback is counted by; `outcome` is a verdict, None where it was dismissed."""

    bucket: int
    release: int
    status: str
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Sample:
    """Answers that were drawn: bucket and release `[n]`, milliseconds by stage `[n]` with NaN where unknown."""

    bucket: NDArray[np.int64]
    release: NDArray[np.int64]
    stages: dict[str, NDArray[np.float64]]

    def percentiles(self, stage: str, chosen: Any = ...) -> Percentiles:
        """Of one stage or `total`; `chosen` indexes the answers that count."""
        p50, p95 = percentiles(self.stages[stage][chosen], _RANKS)
        return Percentiles(p50_ms=p50, p95_ms=p95)


def _within(period: Period) -> ColumnElement[bool]:
    end = period.first_hour + period.count * period.bucket_hours
    return and_(predictions.c.created_hour >= period.first_hour, predictions.c.created_hour < end)


def _bucket(period: Period) -> ColumnElement[int]:
    return (predictions.c.created_hour // period.bucket_hours).label("bucket")


def _confidence_bin() -> ColumnElement[int]:
    """By comparisons: databases do not agree on how they turn a fraction into an integer."""
    edges = [
        (predictions.c.confidence >= index / CONFIDENCE_BINS, index) for index in range(CONFIDENCE_BINS - 1, 0, -1)
    ]
    return case(*edges, else_=0).label("confidence_bin")


def _grouped_counts(connection: Connection, rows: Subquery) -> list[Any]:
    """Rows of `rows` with how often each occurs, as their last item.

    Expressions stand inside the subquery and only names outside: PostgreSQL does not see that two expressions with bound
    values are the same.
    """
    counted = select(*rows.c, func.count().label("times")).group_by(*rows.c)
    return list(connection.execute(counted).all())


def count_answers(connection: Connection, period: Period) -> Counter[Answered]:
    """How often each combination was answered in the period."""
    rows = select(
        _bucket(period),
        predictions.c.release_number,
        predictions.c.class_key,
        predictions.c.decision,
        _confidence_bin(),
    ).where(_within(period))
    found = _grouped_counts(connection, rows.subquery())
    return Counter({Answered(*of): times for *of, times in found})


def count_feedback(connection: Connection, period: Period) -> Counter[Said]:
    """Feedback on the period's answers; no feedback is older than its answer, which lets its index narrow the search."""
    settled = feedback.c.confirmed_class_key
    outcome = case(
        (feedback.c.status == "dismissed", None),
        (settled.is_(None), feedback.c.verdict),
        (settled == predictions.c.class_key, "correct"),
        else_="wrong",
    )
    rows = (
        select(_bucket(period), predictions.c.release_number, feedback.c.status, outcome.label("outcome"))
        .select_from(feedback.join(predictions, feedback.c.prediction_id == predictions.c.id))
        .where(feedback.c.status.in_(STATUSES), feedback.c.created_at >= period.starts[0], _within(period))
    )
    return Counter({Said(*of): times for *of, times in _grouped_counts(connection, rows.subquery())})


def draw_sample(connection: Connection, period: Period, fraction: float, most: int) -> Sample:
    """About this fraction of the period's answers, all from 1 on, and never more than `most`."""
    columns = [predictions.c[f"{stage}_ms"] for stage in STAGES]
    query = select(_bucket(period), predictions.c.release_number, *columns).where(_within(period)).limit(most)
    if fraction < 1:
        cut = f"{int(fraction * 16**_CUT_DIGITS):0{_CUT_DIGITS}x}"
        query = query.where(predictions.c.id < cut)
    rows = connection.execute(query).all()
    bucket, release, *stages = zip(*rows, strict=True) if rows else [()] * (2 + len(STAGES))
    return Sample(
        bucket=np.array(bucket, np.int64) - period.first,
        release=np.array(release, np.int64),
        stages={name: np.array(values, np.float64) for name, values in zip(STAGES, stages, strict=True)},
    )


def count_pending(connection: Connection) -> int:
    """Feedback that waits for an expert, of any time."""
    waiting = select(func.count()).select_from(feedback).where(feedback.c.status == "pending")
    return connection.execute(waiting).scalar_one()
