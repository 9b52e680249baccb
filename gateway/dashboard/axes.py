"""What the charts have in common: time along the bottom, stacked bars, shares with their intervals."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from gateway.dashboard.names import ChartSize
from gateway.dashboard.summary import Share, Summary
from gateway.dashboard.themes import Theme

PERCENT = FuncFormatter(lambda value, _: f"{value * 100:g} %")
MILLISECONDS = FuncFormatter(lambda value, _: f"{value:,g} ms")
_TICKS = {ChartSize.NARROW: 4, ChartSize.WIDE: 7}


def style(axes: Axes, colours: Theme) -> None:
    """Rules instead of a frame."""
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(colours.grid)
    axes.tick_params(colors=colours.quiet, length=0, pad=5)
    axes.grid(axis="y", color=colours.grid, linewidth=0.7)
    axes.set_axisbelow(True)


def label_time(axes: Axes, summary: Summary, size: ChartSize) -> None:
    """Ticks where an hour or a day of UTC begins that divides the period evenly."""
    places, form = list(range(len(summary.starts))), "%H:%M"
    if summary.bucket_hours > 1:
        places, form = [place for place in places if summary.starts[place].hour == 0], "{} %b"
    step = -(-len(places) // _TICKS[size])
    if summary.bucket_hours == 1:
        step = next(hours for hours in (1, 2, 3, 4, 6, 8, 12) if hours >= step)
        places = [place for place in places if summary.starts[place].hour % step == 0]
    else:
        places = places[::-step][::-1]  # today has a tick
    starts = [summary.starts[place] for place in places]
    axes.set_xticks(places, [start.strftime(form).format(start.day) for start in starts])
    axes.set_xlim(-0.6, len(summary.starts) - 0.4)


def say_empty(axes: Axes, colours: Theme, words: str) -> None:
    """Words instead of data."""
    axes.set_yticks([])
    axes.set_ylim(0, 1)
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color=colours.quiet)


def whole_numbers(axes: Axes) -> None:
    """A vertical axis that counts, from 0."""
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_ylim(bottom=0)


def stack(
    axes: Axes, places: Sequence[float], layers: Iterable[tuple[str, str, Sequence[float]]], surface: str, width: float
) -> None:
    """Bars of `(label, colour, heights)` on top of each other."""
    bottom = np.zeros(len(places))
    for label, colour, heights in layers:
        axes.bar(places, heights, width, bottom, label=label, color=colour, edgecolor=surface, linewidth=0.5)
        bottom += np.asarray(heights, np.float64)


def shares(counts: Sequence[int], totals: Sequence[int]) -> list[float]:
    """Each count of its total; 0 of nothing."""
    return [count / total if total else 0.0 for count, total in zip(counts, totals, strict=True)]


def share_axis(axes: Axes) -> None:
    """A vertical axis from 0 to 100 %."""
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.yaxis.set_major_formatter(PERCENT)


def whiskers(axes: Axes, places: Sequence[float], measured: Sequence[Share], colour: str, label: str | None) -> None:
    """Shares as dots with their intervals."""
    values = np.array([share.value for share in measured])
    below = values - [share.low for share in measured]
    above = [share.high for share in measured] - values
    errors = np.clip([below, above], 0, None)  # rounding
    axes.errorbar(places, values, errors, fmt="o", markersize=4.2, color=colour, elinewidth=1.4, label=label)
