"""Figures of a period: what was counted and drawn from the database, arranged as the dashboard shows it.

Counts are exact; percentiles come from a sample of about `SAMPLE` answers, all of them where there are fewer.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection

from gateway.dashboard.counting import (
    CONFIDENCE_BINS,
    Answered,
    Said,
    Sample,
    count_answers,
    count_feedback,
    count_pending,
    draw_sample,
)
from gateway.dashboard.periods import Period
from gateway.dashboard.summary import (
    DECISIONS,
    STATUSES,
    VERDICTS,
    ClassShare,
    Confidence,
    Feedback,
    Latency,
    ReleaseFigures,
    Share,
    Summary,
)
from gateway.database.schema import STAGES

SAMPLE = 20_000


def read_summary(
    connection: Connection, period: Period, class_names: Mapping[str, str], sample: int = SAMPLE
) -> Summary:
    """The figures of one period.

    Args:
        connection: to the database; one transaction.
        period: which answers.
        class_names: display names by class key, in the order in which classes are shown; others that the database holds
            follow, by their key.
        sample: answers looked at for percentiles, about.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    counts = count_answers(connection, period)
    answers = counts.total()
    drawn = draw_sample(connection, period, min(1.0, sample / answers) if answers else 1.0, 2 * sample)
    verdicts = count_feedback(connection, period)
    pending = count_pending(connection)
    decisions = {name: _by_bucket(counts, period, decision=name) for name in DECISIONS}
    volume = _by_bucket(counts, period)
    return Summary(
        generated_at=datetime.now(UTC),
        bucket_hours=period.bucket_hours,
        starts=period.starts,
        answers=answers,
        volume=volume,
        decisions=decisions,
        rejected=[Share.of_counts(*pair) for pair in zip(decisions["rejected"], volume, strict=True)],
        decision_shares={name: Share.of_counts(sum(decisions[name]), answers) for name in DECISIONS},
        classes=_classes(counts, period, class_names, answers),
        confidence=_confidence(counts),
        latency=_latency(drawn, period, answers),
        releases=_releases(counts, drawn, verdicts),
        feedback=_feedback(verdicts, period),
        pending_reviews=pending,
    )


def _by_bucket(counts: Counter[Answered], period: Period, **wanted: str) -> list[int]:
    found = [0] * period.count
    for of, times in counts.items():
        if all(getattr(of, name) == value for name, value in wanted.items()):
            found[of.bucket - period.first] += times
    return found


def _classes(counts: Counter[Answered], period: Period, names: Mapping[str, str], answers: int) -> list[ClassShare]:
    unnamed = sorted({of.class_key for of in counts} - names.keys())
    found = []
    for key in (*names, *unnamed):
        by_bucket = _by_bucket(counts, period, class_key=key)
        share = Share.of_counts(sum(by_bucket), answers)
        found.append(ClassShare(key=key, name=names.get(key, key), counts=by_bucket, share=share))
    return found


def _confidence(counts: Counter[Answered]) -> Confidence:
    found = {name: [0] * CONFIDENCE_BINS for name in DECISIONS}
    for of, times in counts.items():
        if of.decision in found:
            found[of.decision][of.confidence_bin] += times
    return Confidence(edges=[index / CONFIDENCE_BINS for index in range(CONFIDENCE_BINS + 1)], counts=found)


def _latency(drawn: Sample, period: Period, answers: int) -> Latency:
    return Latency(
        sampled=drawn.bucket.size,
        of=answers,
        overall=drawn.percentiles("total"),
        buckets=[drawn.percentiles("total", drawn.bucket == index) for index in range(period.count)],
        stages={stage: drawn.percentiles(stage) for stage in STAGES if stage != "total"},
    )


def _releases(counts: Counter[Answered], drawn: Sample, verdicts: Counter[Said]) -> list[ReleaseFigures]:
    """Every release that answered, the newest first."""
    found = []
    for number in sorted({of.release for of in counts}, reverse=True):
        decisions = Counter[str]()
        for of, times in counts.items():
            if of.release == number:
                decisions[of.decision] += times
        answers = decisions.total()
        said = _outcomes(verdicts, number)
        found.append(
            ReleaseFigures(
                number=number,
                answers=answers,
                decisions={name: Share.of_counts(decisions[name], answers) for name in DECISIONS},
                latency=drawn.percentiles("total", drawn.release == number),
                feedback=said,
                right=Share.of_counts(said["correct"], said["correct"] + said["wrong"]),
            )
        )
    return found


def _outcomes(verdicts: Counter[Said], release: int | None = None) -> dict[str, int]:
    found = dict.fromkeys(VERDICTS, 0)
    for of, times in verdicts.items():
        if of.outcome in found and release in (None, of.release):
            found[of.outcome] += times
    return found


def _feedback(verdicts: Counter[Said], period: Period) -> Feedback:
    counts = {name: [0] * period.count for name in VERDICTS}
    statuses = dict.fromkeys(STATUSES, 0)
    for of, times in verdicts.items():
        statuses[of.status] += times
        if of.outcome in counts:
            counts[of.outcome][of.bucket - period.first] += times
    total = _outcomes(verdicts)
    return Feedback(
        counts=counts, statuses=statuses, right=Share.of_counts(total["correct"], total["correct"] + total["wrong"])
    )
