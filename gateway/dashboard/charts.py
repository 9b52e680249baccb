"""Draws a summary as SVG, by matplotlib's own objects: no window system, no global figure.

Matplotlib's settings and font caches belong to the process: draw in one thread at a time.
"""

import io
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gateway.dashboard.axes import (
    MILLISECONDS,
    PERCENT,
    label_time,
    say_empty,
    share_axis,
    shares,
    stack,
    style,
    whiskers,
    whole_numbers,
)
from gateway.dashboard.names import ChartName, ChartSize, ThemeName
from gateway.dashboard.summary import DECISIONS, VERDICTS, Summary
from gateway.dashboard.themes import THEMES, Theme

_CSS_PIXELS_PER_INCH = 96
_WIDTHS = {ChartSize.NARROW: 330, ChartSize.WIDE: 560}
_HEIGHT, _LEGEND_ROW_HEIGHT = 220, 19
_LEGEND_COLUMNS = {ChartSize.NARROW: 1, ChartSize.WIDE: 2}
_SHORT_LABEL = 12  # characters; of such there is room for three in a row
_LONGEST_LABEL = 36
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "path",  # the same letters and widths everywhere
    "svg.hashsalt": "leaf",  # the same ids at every drawing
    "font.family": ["DejaVu Sans"],  # comes with matplotlib
    "font.size": 8.6,
    "text.parse_math": False,  # a class may be called anything
}
_STAGE_LABELS = {"receive": "Receive", "queue": "Queue", "check": "Check", "infer": "Infer", "respond": "Respond"}


def draw_chart(name: ChartName, summary: Summary, theme: ThemeName, size: ChartSize) -> bytes:
    """One chart as a complete SVG document on a transparent ground; the same summary gives the same bytes."""
    with matplotlib.rc_context(_SETTINGS):
        colours = THEMES[theme]
        figure = Figure(layout="constrained", facecolor="none")
        canvas = FigureCanvasSVG(figure)
        axes = figure.add_subplot(facecolor="none")
        style(axes, colours)
        _DRAWERS[name](axes, summary, colours, size)
        rows = _add_legend(figure, axes, colours, size)
        height = _HEIGHT + rows * _LEGEND_ROW_HEIGHT
        figure.set_size_inches(_WIDTHS[size] / _CSS_PIXELS_PER_INCH, height / _CSS_PIXELS_PER_INCH)
        buffer = io.BytesIO()
        canvas.print_svg(buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})  # type: ignore[no-untyped-call]
        return buffer.getvalue()


def _add_legend(figure: Figure, axes: Axes, colours: Theme, size: ChartSize) -> int:
    """A legend above where there is more than one series; returns its rows."""
    handles, labels = axes.get_legend_handles_labels()
    if len(handles) < 2:
        return 0
    columns = 3 if max(map(len, labels)) <= _SHORT_LABEL else _LEGEND_COLUMNS[size]
    figure.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=columns,
        frameon=False,
        labelcolor=colours.ink,
        handlelength=1,
        handleheight=0.9,
        columnspacing=1.4,
        borderpad=0.1,
    )
    return -(-len(handles) // columns)


def _volume(axes: Axes, summary: Summary, colours: Theme, size: ChartSize) -> None:
    label_time(axes, summary, size)
    if not summary.answers:
        return say_empty(axes, colours, "No answers in this period")
    axes.bar(range(len(summary.volume)), summary.volume, 0.82, color=colours.accent)
    return whole_numbers(axes)


def _decisions(axes: Axes, summary: Summary, colours: Theme, size: ChartSize) -> None:
    label_time(axes, summary, size)
    if not summary.answers:
        return say_empty(axes, colours, "No answers in this period")
    layers = [
        (name.capitalize(), colours.decisions[name], shares(summary.decisions[name], summary.volume))
        for name in DECISIONS
    ]
    stack(axes, range(len(summary.volume)), layers, colours.surface, 0.86)
    return share_axis(axes)


def _rejected(axes: Axes, summary: Summary, colours: Theme, size: ChartSize) -> None:
    label_time(axes, summary, size)
    if not summary.answers:
        return say_empty(axes, colours, "No answers in this period")
    known = [(place, share) for place, share in enumerate(summary.rejected) if share]
    places = [place for place, _ in known]
    whiskers(axes, places, [share for _, share in known], colours.decisions["rejected"], None)
    axes.yaxis.set_major_formatter(PERCENT)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.set_ylim(0, min(1.0, 1.1 * max(share.high for _, share in known)))
    return None


def _classes(axes: Axes, summary: Summary, colours: Theme, size: ChartSize) -> None:
    """The most frequent classes have a colour each, in their own order; all others share one."""
    label_time(axes, summary, size)
    if not summary.answers:
        return say_empty(axes, colours, "No answers in this period")
    by_count = sorted(summary.classes, key=lambda each: -sum(each.counts))
    shown = {each.key for each in by_count[: len(colours.series)]}
    first = [each for each in summary.classes if each.key in shown]
    layers = [
        (_legend_label(each.name), colour, shares(each.counts, summary.volume))
        for each, colour in zip(first, colours.series, strict=False)
    ]
    others = [each.counts for each in summary.classes if each.key not in shown]
    if others:
        counts = [sum(column) for column in zip(*others, strict=True)]
        layers.append((f"{len(others)} others", colours.rest, shares(counts, summary.volume)))
    stack(axes, range(len(summary.volume)), layers, colours.surface, 0.86)
    return share_axis(axes)


def _legend_label(name: str) -> str:
    """Short enough for a phone; matplotlib leaves labels out that begin with an underscore."""
    label = name.lstrip("_") or "(no name)"
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"


def _confidence(axes: Axes, summary: Summary, colours: Theme, size: ChartSize) -> None:  # noqa: ARG001
    edges = summary.confidence.edges
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PERCENT)
    if not summary.answers:
        return say_empty(axes, colours, "No answers in this period")
    width = edges[1] - edges[0]
    counts = summary.confidence.counts
    layers = [(name.capitalize(), colours.decisions[name], counts[name]) for name in DECISIONS]
    stack(axes, [edge + width / 2 for edge in edges[:-1]], layers, colours.surface, width * 0.94)
    return whole_numbers(axes)


def _latency(axes: Axes, summary: Summary, colours: Theme, size: ChartSize) -> None:
    label_time(axes, summary, size)
    if summary.latency.overall.p50_ms is None:
        return say_empty(axes, colours, "No answers in this period")
    lines = {
        "Half within (p50)": (colours.series[0], [each.p50_ms for each in summary.latency.buckets]),
        "95 % within (p95)": (colours.series[3], [each.p95_ms for each in summary.latency.buckets]),
    }
    for label, (colour, values) in lines.items():
        heights = np.array(values, np.float64)  # NaN where nothing was answered: the line has a gap
        axes.plot(heights, color=colour, label=label, linewidth=1.8, marker="o", markersize=2.8)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.yaxis.set_major_formatter(MILLISECONDS)
    axes.set_ylim(bottom=0)
    return None


def _stages(axes: Axes, summary: Summary, colours: Theme, size: ChartSize) -> None:  # noqa: ARG001
    names = list(summary.latency.stages)
    places = np.arange(len(names))
    axes.set_yticks(places, [_STAGE_LABELS[name] for name in names])
    axes.invert_yaxis()
    if summary.latency.overall.p50_ms is None:
        axes.set_xticks([])
        return say_empty(axes, colours, "No answers in this period")
    axes.grid(visible=False)
    axes.grid(axis="x", color=colours.grid, linewidth=0.7)
    found = summary.latency.stages
    bars = {
        "Half within (p50)": (-0.19, colours.series[0], [found[name].p50_ms or 0.0 for name in names]),
        "95 % within (p95)": (0.19, colours.series[3], [found[name].p95_ms or 0.0 for name in names]),
    }
    for label, (shift, colour, values) in bars.items():
        axes.barh(places + shift, values, 0.34, color=colour, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.xaxis.set_major_formatter(MILLISECONDS)
    axes.set_xlim(left=0)
    return None


def _releases(axes: Axes, summary: Summary, colours: Theme, size: ChartSize) -> None:  # noqa: ARG001
    """The newest releases, oldest on the left; whiskers are 95 % intervals."""
    shown = summary.releases[:8][::-1]
    axes.set_xticks(
        range(len(shown)), [f"Release {each.number}" if len(shown) < 4 else str(each.number) for each in shown]
    )
    axes.set_xlim(-0.6, max(len(shown), 1) - 0.4)
    if not shown:
        return say_empty(axes, colours, "No answers in this period")
    groups = {
        "Accepted": (-0.12, colours.decisions["accepted"], [each.decisions["accepted"] for each in shown]),
        "Rejected": (0.0, colours.decisions["rejected"], [each.decisions["rejected"] for each in shown]),
        "Said right": (0.12, colours.series[0], [each.right for each in shown]),
    }
    for label, (shift, colour, values) in groups.items():
        known = [(place + shift, share) for place, share in enumerate(values) if share]
        if known:
            whiskers(axes, [place for place, _ in known], [share for _, share in known], colour, label)
    return share_axis(axes)


def _feedback(axes: Axes, summary: Summary, colours: Theme, size: ChartSize) -> None:
    label_time(axes, summary, size)
    counts = summary.feedback.counts
    if not any(map(sum, counts.values())):
        return say_empty(axes, colours, "No feedback in this period")
    labels = {"correct": "Right", "wrong": "Wrong", "unsure": "Not sure"}
    layers = [(labels[name], colours.verdicts[name], counts[name]) for name in VERDICTS]
    stack(axes, range(len(summary.starts)), layers, colours.surface, 0.82)
    return whole_numbers(axes)


_DRAWERS: dict[ChartName, Callable[[Axes, Summary, Theme, ChartSize], None]] = {
    ChartName.VOLUME: _volume,
    ChartName.DECISIONS: _decisions,
    ChartName.REJECTED: _rejected,
    ChartName.CLASSES: _classes,
    ChartName.CONFIDENCE: _confidence,
    ChartName.LATENCY: _latency,
    ChartName.STAGES: _stages,
    ChartName.RELEASES: _releases,
    ChartName.FEEDBACK: _feedback,
}
