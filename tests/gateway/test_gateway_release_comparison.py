"""A release beside another: figures of the two that are named, and of nothing else."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from dashboard_app import store
from record_entries import entry
from sqlalchemy import Engine

from gateway.dashboard.periods import Hours
from gateway.releases.comparing import compare, percentile_difference
from gateway.releases.comparison import Comparison
from gateway.releases.routing import Route
from gateway.releases.shadow_counts import ShadowCount, Sums, add_counts

pytest_plugins = ("database_fixtures",)

ROUTE = Route("cassava", stable=1, candidate=2, candidate_share=10.0, shadow=3)


def compared(engine: Engine) -> Comparison:
    """The route's releases in the last day."""
    with engine.connect() as connection:
        return compare(connection, ROUTE, Hours.DAY)


def test_a_class_that_only_one_release_names_is_a_difference(engine: Engine) -> None:
    at = datetime.now(UTC) - timedelta(hours=1)
    old = [entry(created_at=at, release=1, class_key="cmd") for _ in range(100)]
    new = [entry(created_at=at, release=2, class_key="cbb" if i < 50 else "cmd") for i in range(100)]
    store(engine, *old, *new)
    found = compared(engine)
    assert found.stable.classes["cbb"] is not None and found.stable.classes["cbb"].hits == 0
    change = found.class_differences["cbb"]
    assert change is not None and change.value == 0.5 and change.low > 0.3


def test_a_shadow_is_compared_with_the_stable_release_only(engine: Engine) -> None:
    hour = int(datetime.now(UTC).timestamp()) // 3600
    for stable, said, times in ((1, "cmd", 8), (1, "cbb", 2), (7, "healthy", 90)):
        key = ShadowCount(hour, stable, 3, "answered", "cmd", "accepted", said, "accepted")
        add_counts(engine, key, Sums(times, 1.0 * times, 2.0 * times))
    shadow = compared(engine).shadow
    assert shadow is not None and shadow.disagreed is not None
    assert (shadow.answered, shadow.disagreed.hits) == (10, 2)
    assert shadow.classes[0].instead == {"cbb": 2}


def test_percentiles_are_of_all_times_and_not_of_the_first() -> None:
    drifting = np.concatenate([np.full(3_000, 100.0), np.full(7_000, 200.0)])
    change = percentile_difference(drifting, np.full(50, 200.0), 50)
    assert change is not None
    assert change.value == change.low == change.high == pytest.approx(0.0)
