"""SQL on feedback: what users say about an answer, and what an expert makes of it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update

from gateway.database.schema import feedback, predictions
from gateway.errors import FeedbackConflict, InvalidRequest, UnknownClass, UnknownFeedback

Verdict = Literal["correct", "wrong", "unsure"]
Status = Literal["pending", "confirmed", "dismissed"]
ReviewDecision = Literal["confirm", "correct", "dismiss"]

CURSOR = r"^[0-9]{1,17}_[0-9a-f]{32}$"
"""What a cursor looks like: microseconds since 1970, and an id."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ABOUT = tuple(
    predictions.c[name].label(f"predicted_{name}")
    for name in ("class_key", "confidence", "decision", "probabilities", "task", "release_number", "created_at")
)
_WITH_PREDICTION = select(feedback, *_ABOUT, predictions.c.photo_kept).join(predictions)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What somebody says about one answer."""

    verdict: Verdict
    class_key: str | None
    comment: str | None


def give(connection: Connection, prediction: Row[Any], client: str, opinion: Opinion) -> tuple[Row[Any], bool]:
    """Store an opinion; one per prediction and client, the later replaces the earlier until an expert has seen it.

    Returns:
        The row, and whether it is the first of this client.

    Raises:
        UnknownClass: not a class of the release that answered.
        FeedbackConflict: an expert has seen the earlier one.
        sqlalchemy.exc.IntegrityError: the same client's first came in the same moment, or the prediction has gone.
    """
    require_known_class(prediction.probabilities, opinion.class_key)
    values: dict[str, Any] = {
        "verdict": opinion.verdict,
        "class_key": opinion.class_key,
        "comment": opinion.comment,
        "created_at": datetime.now(UTC),
    }
    mine = and_(feedback.c.prediction_id == prediction.id, feedback.c.client == client)
    earlier = connection.execute(select(feedback.c.status).where(mine)).scalar()
    if earlier is None:
        identity = {"id": uuid.uuid4().hex, "prediction_id": prediction.id, "client": client, "status": "pending"}
        connection.execute(insert(feedback), {**identity, **values})
    elif not connection.execute(update(feedback).where(mine, feedback.c.status == "pending").values(values)).rowcount:
        raise FeedbackConflict("An expert has reviewed your feedback on this prediction already; it stays as it is.")
    return connection.execute(select(feedback).where(mine)).one(), earlier is None


def require_known_class(probabilities: dict[str, float], class_key: str | None) -> None:
    """Raises UnknownClass, which names the possible keys."""
    if class_key is not None and class_key not in probabilities:
        raise UnknownClass(f"There is no class {class_key!r}. Use one of {', '.join(probabilities)}.")


def find(connection: Connection, feedback_id: str) -> Row[Any]:
    """One opinion with the prediction it is about.

    Raises:
        UnknownFeedback
    """
    row = connection.execute(_WITH_PREDICTION.where(feedback.c.id == feedback_id)).first()
    if row is None:
        raise UnknownFeedback("There is no such feedback; its prediction may have been deleted.")
    return row


def page(
    connection: Connection, status: Status | None, verdict: Verdict | None, cursor: str | None, most: int
) -> tuple[Sequence[Row[Any]], str | None, int]:
    """Opinions with their predictions, the oldest first.

    Args:
        connection: to the database.
        status: only these; None for all.
        verdict: only these; None for all.
        cursor: where the last page ended, in the form of `CURSOR`; None for the first.
        most: rows on a page.

    Returns:
        Rows, the next page's cursor or None at the end, and how many rows all pages have.
    """
    wanted = [
        column == value for column, value in ((feedback.c.status, status), (feedback.c.verdict, verdict)) if value
    ]
    total = connection.execute(select(func.count()).select_from(feedback).where(*wanted)).scalar_one()
    if cursor is not None:
        moment, last = _parse_cursor(cursor)
        later = feedback.c.created_at > moment
        wanted.append(or_(later, and_(feedback.c.created_at == moment, feedback.c.id > last)))
    query = _WITH_PREDICTION.where(*wanted).order_by(feedback.c.created_at, feedback.c.id).limit(most + 1)
    rows = connection.execute(query).all()
    return rows[:most], (_cursor(rows[most - 1]) if len(rows) > most else None), total


def review(
    connection: Connection, feedback_id: str, decision: ReviewDecision, class_key: str | None, reviewer: str
) -> Row[Any]:
    """Settle an opinion; a later review replaces an earlier one.

    Args:
        connection: to the database, in a transaction.
        feedback_id: which.
        decision: `confirm` what the user says, `correct` the class, or `dismiss`.
        class_key: needed to correct; with `confirm` the class that the expert saw.
        reviewer: who decides.

    Raises:
        UnknownFeedback, UnknownClass
        InvalidRequest: the decision needs a class.
        FeedbackConflict: the user has changed the feedback since the expert saw it.
    """
    row = find(connection, feedback_id)
    require_known_class(row.predicted_probabilities, class_key)
    settled = None
    if decision == "correct":
        settled = class_key
    elif decision == "confirm":
        settled = row.predicted_class_key if row.verdict == "correct" else row.class_key
        if class_key is not None and settled is not None and class_key != settled:
            raise FeedbackConflict(f"This feedback says {settled} by now. Look at it again.")
        settled = settled or class_key
    if decision != "dismiss" and settled is None:
        raise InvalidRequest("Nobody has named the class yet: send its class_key.")
    values = {
        "status": "dismissed" if decision == "dismiss" else "confirmed",
        "confirmed_class_key": settled,
        "reviewed_at": datetime.now(UTC),
        "reviewed_by": reviewer,
    }
    connection.execute(update(feedback).where(feedback.c.id == feedback_id).values(values))
    return find(connection, feedback_id)


def _cursor(row: Row[Any]) -> str:
    return f"{(row.created_at - _EPOCH) // timedelta(microseconds=1)}_{row.id}"


def _parse_cursor(cursor: str) -> tuple[datetime, str]:
    microseconds, _, last = cursor.partition("_")
    return _EPOCH + timedelta(microseconds=int(microseconds)), last
