"""A comparison as text for a terminal."""

from collections.abc import Iterator

from gateway.dashboard.summary import DECISIONS, Share
from gateway.releases.comparison import Comparison, Difference, Shadow, Side

_NONE = "-"


def comparison_text(found: Comparison) -> str:
    """Figures beside each other, one a line, with their 95 % intervals."""
    return "\n".join(_lines(found))


def _lines(found: Comparison) -> Iterator[str]:
    other = found.other
    yield f"{found.task}, the last {found.hours} hours; 95 % intervals in brackets"
    titles = [f"stable {found.stable.release}"]
    if other is not None:
        titles += [f"{found.role} {other.release}", f"{found.role} minus stable"]
    yield _row("", *titles)
    sides = [found.stable] if other is None else [found.stable, other]
    yield _row("answers", *(str(side.answers) for side in sides))
    for name in DECISIONS:
        yield _row(name, *(_share(side.decisions[name]) for side in sides), *_points(found, name))
    for rank in ("p50_ms", "p95_ms"):
        times = [getattr(side.latency, rank) for side in sides]
        yield _row(rank, *(_NONE if time is None else f"{time:g}" for time in times), *_times(found, rank))
    yield _row("feedback", *(_feedback(side) for side in sides))
    yield _row("said right", *(_share(side.right) for side in sides), *_points(found, "right"))
    for key, change in found.class_differences.items():
        yield _row(
            f"class {key}", *(_share(side.classes.get(key)) for side in sides), _difference(change, 100, " points")
        )
    if found.shadow is not None:
        yield from _shadow_lines(found.shadow)


def _shadow_lines(shadow: Shadow) -> Iterator[str]:
    yield ""
    yield f"shadow {shadow.release}: {shadow.answered} photos, {shadow.failed} failed, {shadow.dropped} dropped while busy"
    yield _row("says another class", _share(shadow.disagreed))
    for each in shadow.classes:
        instead = ", ".join(f"{key} {times}" for key, times in each.instead.items())
        yield _row(f"of {each.class_key}", _share(each.disagreed), instead and f"instead: {instead}")
    for name in DECISIONS:
        yield _row(name, _share(shadow.decisions[name]), f"shadow: {_share(shadow.shadow_decisions[name])}")
    if shadow.answered:
        yield _row("mean inference, ms", f"{shadow.infer_ms:g}", f"shadow: {shadow.shadow_infer_ms:g}")


def _row(title: str, *cells: str) -> str:
    return f"{title:<32}" + "  ".join(f"{cell:<26}" for cell in cells).rstrip()


def _share(share: Share | None) -> str:
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})" if share else _NONE


def _points(found: Comparison, name: str) -> tuple[str, ...]:
    return () if found.other is None else (_difference(found.differences.get(name), 100, " points"),)


def _times(found: Comparison, rank: str) -> tuple[str, ...]:
    return () if found.other is None else (_difference(found.differences.get(rank), 1, " ms"),)


def _difference(change: Difference | None, factor: float, unit: str) -> str:
    if change is None:
        return _NONE
    return f"{factor * change.value:+.1f}{unit} ({factor * change.low:+.1f} to {factor * change.high:+.1f})"


def _feedback(side: Side) -> str:
    return ", ".join(f"{times} {name}" for name, times in side.feedback.items())
