"""The dashboard's figures: right on every database, over any period, and quick on many rows."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dashboard_app import opinion, past, say, store
from record_entries import CLASS_KEYS, entry
from sqlalchemy import Engine, event, insert

from gateway.dashboard.counting import count_answers
from gateway.dashboard.figures import read_summary
from gateway.dashboard.periods import Hours, Period, hour_of
from gateway.dashboard.statistics import percentiles, wilson_interval
from gateway.dashboard.summary import Summary
from gateway.database import open_database, upgrade, write
from gateway.database.schema import feedback, predictions
from gateway.records.entry import PredictionEntry

pytest_plugins = ("database_fixtures",)

NOW = datetime(2026, 11, 20, 9, 59, 59, 999_999, UTC)
NAMES = {"healthy": "Healthy", "cmd": "Cassava Mosaic Disease"}


def read(engine: Engine, hours: Hours = Hours.DAY, now: datetime = NOW, sample: int = 20_000) -> Summary:
    """The summary of the period that ends at `now`."""
    with engine.connect() as connection:
        return read_summary(connection, Period.until(now, hours), NAMES, sample)


def answered(at: datetime, total_ms: float = 100.0, **changes: object) -> PredictionEntry:
    """One answer at a time."""
    timings = {"receive": 1.0, "queue": 0.5, "check": 2.0, "infer": 90.0, "respond": 0.25, "total": total_ms}
    return entry(**{"created_at": at, "timings_ms": timings, **changes})


@pytest.mark.parametrize(("hours", "width", "count"), [(24, 1, 24), (168, 6, 28), (720, 24, 30)])
def test_a_period_ends_with_the_bucket_of_now(hours: int, width: int, count: int) -> None:
    period = Period.until(NOW, Hours(hours))
    starts = period.starts
    assert len(starts) == count and period.bucket_hours == width
    assert starts[-1] <= NOW < starts[-1] + timedelta(hours=width)
    assert all(later - earlier == timedelta(hours=width) for earlier, later in pairwise(starts))
    assert all(start.hour % width == 0 and start.minute == 0 for start in starts)
    assert period.first_hour == hour_of(starts[0])


@pytest.mark.parametrize("hours", list(Hours))
def test_an_empty_period_has_figures(engine: Engine, hours: Hours) -> None:
    store(engine, answered(NOW - timedelta(days=40)), answered(NOW + timedelta(days=2)))
    summary = read(engine, hours)
    buckets = len(summary.starts)
    assert summary.answers == 0 and summary.volume == [0] * buckets
    assert summary.rejected == [None] * buckets
    assert [(each.key, each.name, each.share) for each in summary.classes] == [(*pair, None) for pair in NAMES.items()]
    assert summary.latency.overall.p50_ms is None and summary.latency.sampled == 0
    assert {each.p95_ms for each in (*summary.latency.buckets, *summary.latency.stages.values())} == {None}
    assert summary.releases == [] and summary.feedback.right is None and summary.pending_reviews == 0
    assert sum(map(sum, summary.confidence.counts.values())) == 0


def test_answers_fall_into_the_hours_of_utc_that_they_were_given_in(engine: Engine) -> None:
    first, last = datetime(2026, 11, 19, 10, tzinfo=UTC), datetime(2026, 11, 20, 9, tzinfo=UTC)
    just_before = first - timedelta(microseconds=1)
    store(engine, answered(just_before), answered(first), answered(last), answered(NOW), answered(NOW))
    summary = read(engine)
    assert summary.starts[0] == first and summary.starts[-1] == last
    assert (summary.volume[0], summary.volume[-1], summary.answers) == (1, 3, 4)
    week = read(engine, Hours.WEEK)
    by_start = dict(zip(week.starts, week.volume, strict=True))
    assert by_start[datetime(2026, 11, 19, 6, tzinfo=UTC)] == 2
    assert by_start[datetime(2026, 11, 20, 6, tzinfo=UTC)] == 3
    month = read(engine, Hours.MONTH)
    assert dict(zip(month.starts, month.volume, strict=True))[datetime(2026, 11, 19, tzinfo=UTC)] == 2


def test_decisions_classes_and_confidence_are_counted(engine: Engine) -> None:
    store(
        engine,
        answered(NOW, confidence=1.0, class_key="cmd", decision="accepted"),
        answered(NOW, confidence=0.95, class_key="cmd", decision="accepted"),
        answered(NOW, confidence=0.9499, class_key="healthy", decision="accepted"),
        answered(NOW - timedelta(hours=2), confidence=0.15, class_key="unnamed", decision="uncertain"),
        answered(NOW - timedelta(hours=2), confidence=0.0, class_key="cmd", decision="rejected"),
    )
    summary = read(engine)
    assert [summary.decisions[name][-1] for name in ("accepted", "uncertain", "rejected")] == [3, 0, 0]
    assert [summary.decisions[name][-3] for name in ("accepted", "uncertain", "rejected")] == [0, 1, 1]
    half, none = summary.rejected[-3], summary.rejected[-1]
    assert half is not None and (half.hits, half.of, half.value) == (1, 2, 0.5)
    assert none is not None and none.low == 0 < none.high < 1
    assert [(each.key, each.name, sum(each.counts)) for each in summary.classes] == [
        ("healthy", "Healthy", 1),
        ("cmd", "Cassava Mosaic Disease", 3),
        ("unnamed", "unnamed", 1),
    ]
    counts = summary.confidence.counts
    assert len(summary.confidence.edges) == 21
    assert (counts["accepted"][19], counts["accepted"][18]) == (2, 1)
    assert (counts["uncertain"][3], counts["rejected"][0]) == (1, 1)


def test_percentiles_of_few_answers_are_those_of_all(engine: Engine) -> None:
    times = [float(value) for value in range(1, 101)]
    store(engine, *(answered(NOW, total_ms=value) for value in times))
    store(engine, answered(NOW - timedelta(hours=3), timings_ms={"infer": 5.0}))  # an entry may lack stages
    summary = read(engine)
    assert summary.latency.overall.p50_ms == 50.5 == np.percentile(times, 50)
    assert summary.latency.overall.p95_ms == pytest.approx(np.percentile(times, 95), abs=0.01)
    assert summary.latency.buckets[-1] == summary.latency.overall
    assert summary.latency.buckets[-4].p50_ms is None
    assert summary.latency.stages["infer"].p50_ms == 90.0 and set(summary.latency.stages) == {
        *("receive", "queue", "check", "infer", "respond")
    }
    assert (summary.latency.sampled, summary.latency.of) == (101, 101)


def test_percentiles_of_many_answers_come_from_a_fair_bounded_sample(engine: Engine) -> None:
    entries = list(past(6000, 20))
    store(engine, *entries)
    now = datetime.now(UTC)
    drawn, exact = read(engine, now=now, sample=1500), read(engine, now=now)
    assert 1200 < drawn.latency.sampled < 1800 and exact.latency.sampled == exact.answers > 5000
    assert drawn.answers == exact.answers and drawn.volume == exact.volume
    for name in ("p50_ms", "p95_ms"):
        assert getattr(drawn.latency.overall, name) == pytest.approx(getattr(exact.latency.overall, name), rel=0.08)


def test_releases_stand_side_by_side(engine: Engine) -> None:
    old = [answered(NOW, release=1, total_ms=50.0, decision="uncertain") for _ in range(4)]
    new = [answered(NOW, release=2, total_ms=200.0) for _ in range(10)]
    store(engine, *old, *new)
    say(engine, old[0], "wrong")
    for each in new[:3]:
        say(engine, each, "correct")
    say(engine, new[4], "unsure")
    second, first = read(engine).releases
    assert (second.number, second.answers, second.latency.p50_ms) == (2, 10, 200.0)
    assert (first.number, first.answers, first.latency.p50_ms) == (1, 4, 50.0)
    assert first.decisions["uncertain"] is not None and first.decisions["uncertain"].value == 1
    assert second.feedback == {"correct": 3, "wrong": 0, "unsure": 1}
    assert second.right is not None and (second.right.hits, second.right.of) == (3, 3) and second.right.low < 0.5
    assert first.right is not None and first.right.value == 0


def test_what_an_expert_has_settled_counts_instead_of_what_was_said(engine: Engine) -> None:
    entries = [answered(NOW - timedelta(hours=1), class_key="cmd") for _ in range(6)]
    store(engine, *entries)
    say(engine, entries[0], "correct", status="confirmed", confirmed_class_key="healthy")  # it was wrong after all
    say(engine, entries[1], "wrong", status="confirmed", confirmed_class_key="cmd")  # it was right after all
    say(engine, entries[2], "unsure", status="confirmed", confirmed_class_key="cmd")
    say(engine, entries[3], "wrong", status="dismissed")
    say(engine, entries[4], "wrong", class_key="cbb")
    say(engine, entries[5], "unsure", created_at=NOW + timedelta(hours=50))
    summary = read(engine)
    assert {name: counts[-2] for name, counts in summary.feedback.counts.items()} == {
        "correct": 2,
        "wrong": 2,
        "unsure": 1,
    }
    assert summary.feedback.statuses == {"pending": 2, "confirmed": 3, "dismissed": 1}
    assert summary.feedback.right is not None and summary.feedback.right.value == 0.5
    assert summary.pending_reviews == 2


def test_feedback_on_older_answers_waits_for_review_all_the_same(engine: Engine) -> None:
    older = answered(NOW - timedelta(days=3))
    store(engine, older)
    say(engine, older, "wrong", created_at=NOW)
    summary = read(engine)
    assert summary.pending_reviews == 1 and summary.feedback.statuses["pending"] == 0


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    # R: prop.test(hits, of, correct = FALSE)
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_intervals_are_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert wilson_interval(hits, of) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("hits", "of"), [(0, 0), (2, 1), (-1, 3)])
def test_a_share_of_nothing_has_no_interval(hits: int, of: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson_interval(hits, of)


def test_percentiles_pass_over_what_is_unknown() -> None:
    assert percentiles(np.array([np.nan, 1.0, 3.0]), (50,)) == [2.0]
    assert percentiles(np.array([np.nan]), (50, 95)) == [None, None]


def test_counts_read_the_index_alone(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'gateway.db'}")
    upgrade(engine)
    statements: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda *seen: statements.append((seen[2], seen[3])))
    with engine.connect() as connection:
        count_answers(connection, Period.until(NOW, Hours.MONTH))
        statement, values = statements[-1]
        plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    engine.dispose()
    assert any("USING COVERING INDEX ix_predictions_counted" in step for step in plan), plan


def test_a_hundred_thousand_answers_are_summed_up_within_a_second(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'gateway.db'}")
    upgrade(engine)
    entries = list(past(2000, 690))  # just after midnight, 30 days of UTC hold 29 times 24 hours
    store(engine, *entries)
    others = ", ".join(column.name for column in predictions.columns if column.name != "id")
    with write(engine) as connection:
        connection.execute(insert(feedback), [opinion(each, "wrong") for each in entries[::2]])
        for _ in range(49):  # each as many rows as there are entries, with new ids
            connection.exec_driver_sql(
                f"INSERT INTO predictions (id, {others}) SELECT lower(hex(randomblob(16))), {others} FROM predictions "
                f"LIMIT {len(entries)}"
            )
    took = []
    for _ in range(3):
        started = time.process_time()  # SQLite works in this process; other processes' load is not its fault
        summary = read(engine, Hours.MONTH, datetime.now(UTC))
        took.append(time.process_time() - started)
    engine.dispose()
    assert min(took) < 1.0, took
    assert summary.answers == 100_000 and sum(summary.volume) == 100_000
    expected = Counter(each.class_key for each in entries)
    assert {each.key: sum(each.counts) for each in summary.classes if each.share} == {
        key: 50 * times for key, times in expected.items()
    }
    assert set(expected) <= set(CLASS_KEYS)
    assert sum(map(sum, summary.feedback.counts.values())) == 1000
    assert 15_000 < summary.latency.sampled < 25_000
