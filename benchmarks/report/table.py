"""The result as text for a terminal."""

import math
import statistics
from typing import Any

from benchmarks.breakdown.stages import HAND_OVER, OUTSIDE, STAGES
from benchmarks.photos import EACH_BAD
from benchmarks.report.summary import FIGURES, Figure, best_bare, rows
from benchmarks.systems.catalog import OURS

_SHORT = (
    "photos_per_second",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "photos",
    "cpu_s_per_photo",
    "pss",
    "first_answer_s",
    "cost",
)


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
    """Three digits that mean something; `-` of what had too few answers, `lost` of a wait without end."""
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return "lost"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio(figure: Figure) -> str:
    """`1.23x (1.20-1.25)`."""
    if figure.ratio is None:
        return ""
    middle, low, high = figure.ratio
    return f"{middle:.2f}x ({low:.2f}-{high:.2f})"


def _head(result: dict[str, Any]) -> str:
    lines = [f"{key}: {value}" for key, value in result["hardware"].items()]
    for name, packages in result["versions"].items():
        lines.append(f"{name}: " + ", ".join(f"{package} {version}" for package, version in packages.items()))
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
            if figure is not None and key == "photos":
                cell = number(figure.value)
            elif figure is not None and figure.ratio is not None:
                cell = number(figure.value)
                cell += "" if math.isnan(figure.ratio[0]) else f" ({figure.ratio[0]:.2f}x)"
            cells += f"{cell:>17}"
        lines.append(cells.rstrip())
    share = best_bare(result)
    if share is not None:
        lines.append(f"ours against the best of the bare engines: {share[0]:.1%} ({share[1]:.1%}-{share[2]:.1%})")
    for name, count in failed(result).items():
        lines.append(f"{name} failed {count} times in the rounds: its figures mean nothing.")
    return "\n".join(lines)


def failed(result: dict[str, Any]) -> dict[str, int]:
    """Photos that a system failed to answer in the rounds, where there were any."""
    counts = {name: sum(each["failures"] for each in facts["rounds"]) for name, facts in result["systems"].items()}
    return {name: count for name, count in counts.items() if count}


def usual_share(facts: dict[str, Any]) -> float:
    """Good photos a second among broken ones, as a share of what would be no loss: 19 in 20 of the rounds' rate."""
    usual = statistics.median(each["photos_per_second"] for each in facts["rounds"])
    return float(facts["bad"]["photos_per_second"] / usual * EACH_BAD / (EACH_BAD - 1))


def _overload(result: dict[str, Any]) -> str:
    options = result["options"]
    lines = [
        f"{'at twice its own capacity':<36}{'of capacity in ' + format(options['deadline_s'], 'g') + ' s':>21}{'refused':>10}"
        f"{'given up':>10}{'late':>8}{'failed':>8}{'offered':>10}{'photos':>8}"
    ]
    for facts in result["systems"].values():
        if (each := facts.get("overload")) is None:
            continue
        if "left_out" in each:
            lines.append(f"{facts['label']:<36}   {each['left_out']}")
            continue
        lines.append(
            f"{facts['label']:<36}{each['within_capacity']:>21.0%}{each['refused']:>10.0%}{each['given_up']:>10.0%}"
            f"{each['late']:>8.0%}{each['failed']:>8.0%}{number(each['offered']) + '/s':>10}{each['photos']:>8}"
        )
    return "\n".join(lines)


def _bad(result: dict[str, Any]) -> str:
    lines = [f"{'one broken photo in twenty':<36}{'of 19/20':>12}{'good ones failed':>18}   answers to broken ones"]
    for facts in result["systems"].values():
        if (each := facts.get("bad")) is not None:
            told = ", ".join(f"{status}: {count}" for status, count in sorted(each["answers"].items()))
            lines.append(
                f"{facts['label']:<36}{usual_share(facts):>12.0%}"
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
