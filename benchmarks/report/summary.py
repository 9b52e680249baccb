"""One row a system: its figures, and each as a ratio to ours of the same round."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.systems.catalog import OURS

_PHOTOS = 1e6


@dataclass(frozen=True)
class Figure:
    """A median with its range over the rounds; `ratio` to ours, taken round by round, with its range too."""

    value: float
    lowest: float
    highest: float
    ratio: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Row:
    """A system's figures by name."""

    name: str
    label: str
    figures: dict[str, Figure]


FIGURES = {
    "photos_per_second": "photos/s",
    "p50_ms": "p50, ms",
    "p95_ms": "p95, ms",
    "p99_ms": "p99, ms",
    "photos": "answers a round",
    "cpu_s_per_photo": "CPU s/photo",
    "pss": "memory, MiB",
    "first_answer_s": "first answer, s",
    "cost": "cost of 10^6",
}
HIGHER_IS_BETTER = ("photos_per_second",)


def rows(result: dict[str, Any]) -> list[Row]:
    """All systems in the order of the run, then the bare engines, ways by rate."""
    options, systems = result["options"], result["systems"]
    cores = int(result["hardware"]["cores"])
    table = []
    for name, facts in systems.items():
        figures = {key: _over_rounds(systems, name, _of(key)) for key in FIGURES if key in facts["rounds"][0]}
        figures["cost"] = _over_rounds(
            systems, name, lambda each: cost(each["photos_per_second"], cores, options["price"])
        )
        figures["pss"] = _once(systems, name, lambda each: float(each["memory_mib"]["pss"]))
        figures["first_answer_s"] = _once(systems, name, lambda each: float(each["first_answer_s"]))
        table.append(Row(name, facts["label"], {key: figures[key] for key in FIGURES}))
    return table + bare_rows(result)


def bare_rows(result: dict[str, Any]) -> list[Row]:
    """The engines alone, by way of using the cores."""
    bare: Sequence[dict[str, float]] = result["bare"]
    mine = [each["photos_per_second"] for each in result["systems"][OURS]["rounds"]]
    found = []
    for way in bare[0] if bare else ():
        rates = [each[way] for each in bare]
        figure = Figure(*_range(rates), ratio=_range([rate / own for rate, own in zip(rates, mine, strict=True)]))
        found.append(Row(f"bare {way}", f"bare engines, {way}", {"photos_per_second": figure}))
    return found


def best_bare(result: dict[str, Any]) -> tuple[float, float, float] | None:
    """Ours as a share of the best of the bare engines, round by round."""
    if not result["bare"]:
        return None
    mine = [each["photos_per_second"] for each in result["systems"][OURS]["rounds"]]
    return _range([own / max(each.values()) for own, each in zip(mine, result["bare"], strict=True)])


def cost(photos_per_second: float, cores: int, price: float) -> float:
    """Of a million photos, in the currency of `price`, which is of one core for an hour, all cores always busy."""
    return _PHOTOS / photos_per_second / 3600 * cores * price if photos_per_second > 0 else float("nan")


def ratios(result: dict[str, Any]) -> dict[str, tuple[float, float, float]]:
    """Ours against each other system, as good is higher: what the guard keeps. Median, lowest, highest."""
    mine = result["systems"][OURS]["rounds"]
    found = {}
    for name, facts in result["systems"].items():
        if name == OURS:
            continue
        for key, label in (("photos_per_second", "throughput"), ("p95_ms", "p95")):
            pairs = [(own[key], other[key]) for own, other in zip(mine, facts["rounds"], strict=True)]
            better = [a / b if key in HIGHER_IS_BETTER else b / a for a, b in pairs]
            found[f"{label} against {name}"] = _range(better)
    if (share := best_bare(result)) is not None:
        found["throughput against the best bare engines"] = share
    return found


def _of(key: str) -> Callable[[dict[str, Any]], float]:
    return lambda figures: float(figures[key])


def _range(values: Sequence[float]) -> tuple[float, float, float]:
    if any(map(math.isnan, values)):
        return 3 * (math.nan,)
    return statistics.median(values), min(values), max(values)


def _over_rounds(systems: dict[str, Any], name: str, figure: Callable[[dict[str, Any]], float]) -> Figure:
    values = [figure(each) for each in systems[name]["rounds"]]
    mine = [figure(each) for each in systems[OURS]["rounds"]]
    return Figure(*_range(values), ratio=_range([a / b for a, b in zip(values, mine, strict=True)]))


def _once(systems: dict[str, Any], name: str, figure: Callable[[dict[str, Any]], float]) -> Figure:
    value, mine = figure(systems[name]), figure(systems[OURS])
    return Figure(value, value, value, ratio=3 * (value / mine,))
