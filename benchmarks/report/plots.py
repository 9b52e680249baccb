"""The plots of the page, as SVG that needs nothing from elsewhere."""

import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.breakdown.stages import HAND_OVER, OUTSIDE, STAGES
from benchmarks.report import summary
from benchmarks.systems.catalog import OURS

# told apart by colour-blind people too (Okabe and Ito), and by marker and dash
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#555555", "#8c6d31", "#b2182b", "#762a83")
MARKERS = "osD^v<>Pph"
WIDTH, HEIGHT = 8.6, 4.4
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bench",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def throughput(result: dict[str, Any]) -> str:
    """A bar a system with the range of its rounds."""
    rows = summary.rows(result)
    figures = [row.figures["photos_per_second"] for row in rows]

    def draw(axes: Axes) -> None:
        errors = [[f.value - f.lowest for f in figures], [f.highest - f.value for f in figures]]
        colours = [
            COLOURS[0] if row.name == OURS else "#bbbbbb" if row.name.startswith("bare") else "#d9a066" for row in rows
        ]
        bars = axes.barh([row.label for row in rows], [f.value for f in figures], xerr=errors, color=colours, capsize=3)
        labels = [f"{f.value:.3g}" + (f"  ({f.ratio[0]:.2f}x)" if f.ratio else "") for f in figures]
        axes.bar_label(bars, labels, padding=8, fontsize=9)
        axes.margins(x=0.18)
        axes.invert_yaxis()
        axes.set_xlabel(f"photos per second, {result['options']['clients']} clients; in brackets the ratio to ours")

    return _svg(draw, height=0.42 * len(rows) + 1.1)


def by_clients(result: dict[str, Any], key: str, label: str, log: bool) -> str:
    """Lines over the number of clients."""

    def draw(axes: Axes) -> None:
        _lines(axes, result, "curve", "clients", key)
        axes.set_xscale("log", base=2)
        levels = result["options"]["levels"]
        axes.set_xticks(levels, [str(level) for level in levels])
        axes.set_xlabel("clients, each waiting for its answer")
        _finish(axes, label, log)

    return _svg(draw)


def by_rate(result: dict[str, Any], key: str, label: str) -> str:
    """Lines over the rate at which photos come."""

    def draw(axes: Axes) -> None:
        _lines(axes, result, "arrivals", "offered", key)
        axes.set_xlim(left=0)
        axes.set_xlabel("photos offered per second; latency from the moment each was due")
        _finish(axes, label, log=True)

    return _svg(draw)


def overload(result: dict[str, Any]) -> str:
    """What happened to the photos at twice the capacity."""
    systems = [
        facts for facts in result["systems"].values() if "left_out" not in facts.get("overload", {"left_out": 1})
    ]
    kinds = (
        ("in_time", "in time", "#009e73"),
        ("late", "late", "#e69f00"),
        ("refused", "refused", "#56b4e9"),
        ("given_up", "given up", "#cc79a7"),
        ("failed", "failed or no answer", "#b2182b"),
    )

    def draw(axes: Axes) -> None:
        left = [0.0] * len(systems)
        for key, label, colour in kinds:
            values = [100 * facts["overload"][key] for facts in systems]
            axes.barh([facts["label"] for facts in systems], values, left=left, color=colour, label=label)
            left = [a + b for a, b in zip(left, values, strict=True)]
        for number, facts in enumerate(systems):
            share = 100 * facts["overload"]["capacity"] / facts["overload"]["offered"]
            axes.plot([share, share], [number - 0.5, number + 0.5], color="black", linewidth=1, linestyle=":")
        axes.set_xlim(0, 100)
        axes.invert_yaxis()
        axes.set_xlabel("percent of the photos sent; the dotted line is the capacity")
        axes.legend(loc="upper center", bbox_to_anchor=(0.4, 1.16), ncols=5, frameon=False, fontsize=9)

    return _svg(draw, height=0.42 * len(systems) + 1.5)


def breakdown(result: dict[str, Any]) -> str:
    """Stages of our own time, one bar for each number of clients."""
    found = {clients: one for clients, one in result["breakdown"].items() if one["stages_ms"]}
    colours = (*COLOURS[:7], "#dddddd", "#aaaaaa")

    def draw(axes: Axes) -> None:
        labels = [
            f"{clients} client{'s' if clients != '1' else ''}, {one['total_ms']:.0f} ms"
            for clients, one in found.items()
        ]
        left = [0.0] * len(found)
        for stage, colour in zip((*STAGES, HAND_OVER, OUTSIDE), colours, strict=True):
            values = [100 * one["stages_ms"][stage] / one["total_ms"] for one in found.values()]
            axes.barh(labels, values, left=left, color=colour, label=stage, edgecolor="white", linewidth=0.5)
            left = [a + b for a, b in zip(left, values, strict=True)]
        axes.set_xlim(0, 100)
        axes.invert_yaxis()
        axes.set_xlabel("percent of what the client waited, mean")
        axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=5, frameon=False, fontsize=9)

    return _svg(draw, height=2.6)


def _lines(axes: Axes, result: dict[str, Any], part: str, x: str, y: str) -> None:
    for number, facts in enumerate(result["systems"].values()):
        points = [point for point in facts.get(part, ()) if "left_out" not in point]
        axes.plot(
            [point[x] for point in points],
            [point[y] if math.isfinite(point[y]) else math.nan for point in points],
            marker=MARKERS[number % len(MARKERS)],
            color=COLOURS[number % len(COLOURS)],
            linewidth=2.6 if number == 0 else 1.3,
            markersize=5,
            label=facts["label"],
        )


def _finish(axes: Axes, label: str, log: bool) -> None:
    if log:
        axes.set_yscale("log")
        # plain numbers, at 1, 2 and 5 of each power of ten
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(bottom=0)
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8.5)


def _svg(draw: Callable[[Axes], None], height: float = HEIGHT, metadata: Sequence[str] = ("Date", "Creator")) -> str:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure.subplots())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(metadata))
    return buffer.getvalue().partition("<svg")[1] + buffer.getvalue().partition("<svg")[2]
