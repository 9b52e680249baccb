"""Works the comparison out from the record of predictions, feedback and the counts of shadows."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from gateway.dashboard.counting import (
    Answered,
    Said,
    Sample,
    count_answers,
    count_feedback,
    draw_sample,
)
from gateway.dashboard.periods import Hours, Period
from gateway.dashboard.statistics import wilson_interval
from gateway.dashboard.summary import DECISIONS, VERDICTS, Share
from gateway.releases import shadow_counts
from gateway.releases.comparison import Comparison, Difference, Disagreement, Shadow, Side
from gateway.releases.routing import Route

_SAMPLE = 20_000
_RESAMPLED = 2_000
_RESAMPLES = 1_000
_BOUNDS = (2.5, 97.5)
_RANKS = {"p50_ms": 50, "p95_ms": 95}
_LEAST_TIMES = 20


def compare(connection: Connection, route: Route, hours: Hours) -> Comparison:
    """The route's releases beside each other, in the last `hours`.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refuses or does not answer.
    """
    period = Period.until(datetime.now(UTC), hours)
    counts, verdicts = count_answers(connection, period), count_feedback(connection, period)
    answers = counts.total()
    drawn = draw_sample(connection, period, min(1.0, _SAMPLE / answers) if answers else 1.0, 2 * _SAMPLE)
    number, role = (route.candidate, "candidate") if route.candidate is not None else (route.previous, "previous")
    keys = sorted({of.class_key for of in counts if of.release in (route.stable, number)})
    stable = _side(route.stable, keys, counts, verdicts, drawn)
    other = None if number is None else _side(number, keys, counts, verdicts, drawn)
    shadow = None if route.shadow is None else _shadow(connection, route.stable, route.shadow, period)
    return Comparison(
        generated_at=datetime.now(UTC),
        hours=int(hours),
        task=route.task,
        stable=stable,
        other=other,
        role=role if other else None,
        differences={} if other is None else _differences(stable, other, drawn),
        class_differences={}
        if other is None
        else {key: difference(stable.classes[key], other.classes[key]) for key in keys},
        shadow=shadow,
    )


def difference(stable: Share | None, other: Share | None) -> Difference | None:
    """Difference of two independent shares, by Newcombe's hybrid score interval (1998, method 10)."""
    if stable is None or other is None:
        return None
    p, q = other.hits / other.of, stable.hits / stable.of
    p_low, p_high = wilson_interval(other.hits, other.of)
    q_low, q_high = wilson_interval(stable.hits, stable.of)
    low = p - q - float(np.hypot(p - p_low, q_high - q))
    high = p - q + float(np.hypot(p_high - p, q - q_low))
    return Difference(value=round(p - q, 4), low=round(low, 4), high=round(high, 4))


def percentile_difference(stable: NDArray[np.float64], other: NDArray[np.float64], rank: float) -> Difference | None:
    """Difference of a percentile of two samples `[n]`, by the bootstrap; None where either is too small.

    Of many times fewer are drawn at once: that is quicker, and the interval wider rather than narrower than it must be.
    """
    first, second = (each[~np.isnan(each)] for each in (stable, other))
    if min(first.size, second.size) < _LEAST_TIMES:
        return None
    rng = np.random.default_rng(0)
    draws = [rng.choice(times, (_RESAMPLES, min(times.size, _RESAMPLED))) for times in (first, second)]
    said = [np.percentile(drawn, rank, axis=1) for drawn in draws]
    low, high = np.percentile(said[1] - said[0], _BOUNDS)
    value = float(np.percentile(second, rank) - np.percentile(first, rank))
    return Difference(value=round(value, 2), low=round(float(low), 2), high=round(float(high), 2))


def _differences(stable: Side, other: Side, drawn: Sample) -> dict[str, Difference | None]:
    found = {name: difference(stable.decisions[name], other.decisions[name]) for name in DECISIONS}
    found["right"] = difference(stable.right, other.right)
    before, after = (drawn.stages["total"][drawn.release == side.release] for side in (stable, other))
    return found | {name: percentile_difference(before, after, rank) for name, rank in _RANKS.items()}


def _side(number: int, keys: Sequence[str], counts: Counter[Answered], verdicts: Counter[Said], drawn: Sample) -> Side:
    decisions, classes, feedback = Counter[str](), Counter[str](), Counter[str]()
    for of, times in counts.items():
        if of.release == number:
            decisions[of.decision] += times
            classes[of.class_key] += times
    for said, times in verdicts.items():
        if said.release == number and said.outcome is not None:
            feedback[said.outcome] += times
    answers = decisions.total()
    return Side(
        release=number,
        answers=answers,
        decisions={name: Share.of_counts(decisions[name], answers) for name in DECISIONS},
        classes={key: Share.of_counts(classes[key], answers) for key in keys},
        latency=drawn.percentiles("total", drawn.release == number),
        feedback={name: feedback[name] for name in VERDICTS},
        right=Share.of_counts(feedback["correct"], feedback["correct"] + feedback["wrong"]),
    )


def _shadow(connection: Connection, stable: int, number: int, period: Period) -> Shadow:
    said = shadow_counts.read_counts(connection, stable, number, period.first_hour)
    answered = [each for each in said if each.outcome == "answered"]
    photos = sum(each.times for each in answered)
    outcomes = Counter[str]()
    for each in said:
        outcomes[each.outcome] += each.times
    return Shadow(
        release=number,
        answered=photos,
        failed=outcomes["failed"],
        dropped=outcomes["dropped"],
        disagreed=_disagreed(answered),
        classes=[_of_class(key, answered) for key in sorted({each.class_key for each in answered})],
        decisions=_decisions(answered, "decision", photos),
        shadow_decisions=_decisions(answered, "shadow_decision", photos),
        infer_ms=round(sum(each.infer_ms for each in answered) / photos, 2) if photos else None,
        shadow_infer_ms=round(sum(each.shadow_infer_ms for each in answered) / photos, 2) if photos else None,
    )


def _disagreed(answered: Sequence[shadow_counts.Said]) -> Share | None:
    other = sum(each.times for each in answered if each.class_key != each.shadow_class_key)
    return Share.of_counts(other, sum(each.times for each in answered))


def _of_class(key: str, answered: Sequence[shadow_counts.Said]) -> Disagreement:
    of_class = [each for each in answered if each.class_key == key]
    instead = Counter[str]()
    for each in of_class:
        if each.shadow_class_key != key:
            instead[each.shadow_class_key] += each.times
    return Disagreement(class_key=key, disagreed=_disagreed(of_class), instead=dict(instead.most_common()))


def _decisions(answered: Sequence[shadow_counts.Said], name: str, photos: int) -> dict[str, Share | None]:
    counted = Counter[str]()
    for each in answered:
        counted[getattr(each, name)] += each.times
    return {decision: Share.of_counts(counted[decision], photos) for decision in DECISIONS}
