"""The result as text for a terminal."""

from typing import Any

from benchmarks.breakdown.stages import HAND_OVER, OUTSIDE, STAGES
from benchmarks.report.summary import FIGURES, Figure, best_bare, rows
from benchmarks.systems.catalog import OURS

_SHORT = ("photos_per_second", "p50_ms", "p95_ms", "p99_ms", "cpu_s_per_photo", "pss", "first_answer_s", "cost")


def text(result: dict[str, Any]) -> str:
    """All of it but the curves, which are for the page."""
    parts = [_head(result), _main(result)]
    if any("overload" in facts for facts in result["systems"].values()):
        parts.append(_overload(result))
    if any("bad" in facts for facts in result["systems"].values()):
        parts.append(_bad(result))
    if "breakdown" in result:
        parts.append(_breakdown(result))
    return "\n\n".join(parts)


def number(value: float) -> str:
    """Three digits that mean something."""
    if value != value:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio(figure: Figure) -> str:
    """`1.23x (1.20-1.25)`."""
    if figure.ratio is None:
        return ""
    middle, low, high = figure.ratio
    return f"{middle:.2f}x ({low:.2f}-{high:.2f})"


def _head(result: dict[str, Any]) -> str:
    lines = [f"{key}: {value}" for key, value in result["hardware"].items()]
    lines.append(f"photos: {result['photos']}")
    lines.append("members: " + ", ".join(f"{name} ({precision})" for name, precision in result["members"].items()))
    options = result["options"]
    lines.append(f"{options['rounds']} rounds of {options['seconds']:g} s or more, {options['clients']} clients")
    return "\n".join(lines)


def _main(result: dict[str, Any]) -> str:
    lines = [
        f"{'(ratio to ours, round by round)':<36}{'photos/s':>9}{'ratio (range)':>20}"
        + "".join(f"{FIGURES[key]:>17}" for key in _SHORT[1:])
    ]
    for row in rows(result):
        rate = row.figures["photos_per_second"]
        cells = f"{row.label:<36}{number(rate.value):>9}{ratio(rate):>20}"
        for key in _SHORT[1:]:
            figure = row.figures.get(key)
            cell = ""
            if figure is not None and figure.ratio is not None:
                cell = f"{number(figure.value)} ({figure.ratio[0]:.2f}x)"
            cells += f"{cell:>17}"
        lines.append(cells.rstrip())
    share = best_bare(result)
    if share is not None:
        lines.append(f"ours against the best of the bare engines: {share[0]:.1%} ({share[1]:.1%}-{share[2]:.1%})")
    for name, facts in result["systems"].items():
        if failed := sum(each["failures"] for each in facts["rounds"]):
            lines.append(f"{name} failed {failed} times in the rounds: its figures mean nothing.")
    return "\n".join(lines)


def _overload(result: dict[str, Any]) -> str:
    options = result["options"]
    lines = [
        f"{'at twice its own capacity':<36}{'of capacity in ' + format(options['deadline_s'], 'g') + ' s':>21}{'refused':>10}"
        f"{'late':>8}{'failed':>8}"
    ]
    for facts in result["systems"].values():
        if (each := facts.get("overload")) is not None:
            lines.append(
                f"{facts['label']:<36}{each['within_capacity']:>21.0%}{each['refused']:>10.0%}{each['late']:>8.0%}"
                f"{each['failed']:>8.0%}"
            )
    return "\n".join(lines)


def _bad(result: dict[str, Any]) -> str:
    lines = [f"{'one broken photo in twenty':<36}{'of its rate':>12}{'good ones failed':>18}   answers to broken ones"]
    for facts in result["systems"].values():
        if (each := facts.get("bad")) is not None:
            usual = sorted(one["photos_per_second"] for one in facts["rounds"])[len(facts["rounds"]) // 2]
            told = ", ".join(f"{status}: {count}" for status, count in sorted(each["answers"].items()))
            lines.append(
                f"{facts['label']:<36}{each['photos_per_second'] / usual:>12.0%}"
                f"{str(each['good_failed']) + ' of ' + str(each['good']):>18}   {told}"
            )
    return "\n".join(lines)


def _breakdown(result: dict[str, Any]) -> str:
    found = result["breakdown"]
    lines = [
        f"{'ours, milliseconds by stage':<36}"
        + "".join(f"{count + (' client' if count == '1' else ' clients'):>14}" for count in found)
    ]
    for stage in (*STAGES, HAND_OVER, OUTSIDE):
        lines.append(
            f"{stage:<36}" + "".join(f"{one['stages_ms'].get(stage, float('nan')):>14.2f}" for one in found.values())
        )
    lines.append(
        f"{'total, as clients measured it':<36}" + "".join(f"{one['total_ms']:>14.2f}" for one in found.values())
    )
    lines.append(f"{'the seven stages make':<36}" + "".join(f"{one['covered']:>14.1%}" for one in found.values()))
    return "\n".join(lines)


def headline(result: dict[str, Any]) -> str:
    """One line for whoever reads no further."""
    rate = next(row for row in rows(result) if row.name == OURS).figures["photos_per_second"]
    return f"ours: {number(rate.value)} photos/s with {result['options']['clients']} clients"
