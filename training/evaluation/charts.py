"""Charts as inline SVG that takes its colours from the page, so that one drawing serves light, dark and paper.

Every chart has a title and a description for those who do not see it; the page lists the same numbers as text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

SERIES = 6
"""Colours, each with a dash pattern of its own, that the page's style sheet has for lines: classes s0, s1 …"""
_WIDTH, _HEIGHT = 360, 272
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 16, 32, 42

Point = tuple[float, float]


def percent(value: float) -> str:
    """`25 %`; the gap does not break."""
    return f"{value * 100:g}\u00a0%"


@dataclass
class Plot:
    """Axes from `x` and `y` (low, high) in data units, and what is drawn in them; `svg` gives the whole."""

    title: str
    description: str
    x: Point
    y: Point
    x_label: str
    y_label: str
    x_ticks: Sequence[float]
    y_ticks: Sequence[float]
    x_text: Callable[[float], str] = "{:g}".format
    y_text: Callable[[float], str] = "{:g}".format
    _drawn: list[Markup] = field(default_factory=list)

    def place(self, x: float, y: float) -> Point:
        """Data units to the drawing's own."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    def line(self, points: Sequence[Point], style: str) -> None:
        """A line through points; `style` are classes of the style sheet."""
        path = " ".join("{:.1f},{:.1f}".format(*self.place(*point)) for point in points)
        self._drawn.append(Markup('<polyline class="line {}" points="{}"/>').format(style, path))

    def dot(self, point: Point, radius: float, style: str, says: str) -> None:
        """A dot with a tooltip."""
        x, y = self.place(*point)
        self._drawn.append(
            Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"><title>{}</title></circle>').format(
                style, x, y, radius, says
            )
        )

    @property
    def svg(self) -> Markup:
        """The drawing, accessible by title and description."""
        left, bottom = self.place(self.x[0], self.y[0])
        right = self.place(self.x[1], self.y[0])[0]
        parts = []
        for value in self.y_ticks:
            height = self.place(self.x[0], value)[1]
            parts.append(Markup('<path class="grid" d="M{:.1f} {:.1f}H{:.1f}"/>').format(left, height, right))
            parts.append(_text(left - 6, height + 4, self.y_text(value), "end"))
        for value in self.x_ticks:
            parts.append(_text(self.place(value, self.y[0])[0], bottom + 17, self.x_text(value), "middle"))
        parts.append(Markup('<path class="axis" d="M{:.1f} {:.1f}H{:.1f}"/>').format(left, bottom, right))
        parts.append(_text((left + right) / 2, _HEIGHT - 6, self.x_label, "middle", "name"))
        parts.append(_text(0, 12, self.y_label, "start", "name"))
        return Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
            _WIDTH, _HEIGHT, f"{self.title}. {self.description}", Markup("").join(parts + self._drawn)
        )


def _text(x: float, y: float, words: str, anchor: str, style: str = "tick") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        style, x, y, anchor, escape(words)
    )


QUARTERS = (0, 0.25, 0.5, 0.75, 1)


def roc_chart(
    curves: dict[str, Any], areas: dict[str, float | None], names: dict[str, str]
) -> tuple[Markup, list[Any]]:
    """One-vs-rest ROC curves; with many classes those of the least area stand out.

    Returns:
        The drawing, and (style, name, area) of each curve for the legend, least area first.
    """
    order = sorted(curves, key=lambda key: areas[key] or 0)
    worst = ", ".join(f"{names[key]} {areas[key]:.3f}" for key in order[:3])
    plot = Plot(
        "ROC curves, one class against the rest",
        f"Areas from the smallest: {worst}.",
        (0, 1), (0, 1), "false positive rate", "true positive rate", QUARTERS, QUARTERS, percent, percent,
    )  # fmt: skip
    plot.line([(0, 0), (1, 1)], "chance")
    legend = []
    for index, key in reversed(list(enumerate(order))):
        style = f"s{index}" if index < SERIES else "other"
        rates = zip(curves[key]["false_positive_rate"], curves[key]["true_positive_rate"], strict=True)
        plot.line(list(rates), style)
        legend.append((style, names[key], areas[key]))
    return plot.svg, legend[::-1]


def reliability_chart(figures: dict[str, Any], title: str) -> Markup:
    """A reliability diagram (Niculescu-Mizil and Caruana 2005): dots on the diagonal mean that confidence is deserved."""
    error = figures["ece_15_bins_l1"]
    plot = Plot(
        title,
        f"Mean confidence {percent(round(figures['confidence_mean'], 3))}, calibration error {error:.3f}.",
        (0, 1), (0, 1), "confidence", "share that is right", QUARTERS, QUARTERS, percent, percent,
    )  # fmt: skip
    plot.line([(0, 0), (1, 1)], "chance")
    most = max(row["photos"] for row in figures["bins"])
    for row in figures["bins"]:
        spot = row["confidence"], row["accuracy"]
        plot.line([(spot[0], spot[0]), spot], "gap")
        says = f"{row['photos']} photos: confidence {spot[0]:.0%}, right {spot[1]:.0%}"
        plot.dot(spot, 2.5 + 6.5 * (row["photos"] / most) ** 0.5, "bin", says)
    return plot.svg


def epochs_chart(title: str, y_label: str, series: Sequence[tuple[str, Sequence[Point]]], share: bool) -> Markup:
    """Curves over epochs; `share` fixes the vertical axis at 0 to 1."""
    points = [point for _, curve in series for point in curve]
    last = max(max(point[0] for point in points), 2)
    ticks = QUARTERS if share else even_ticks(max(point[1] for point in points))
    ends = ", ".join(f"{name} ends at {curve[-1][1]:.3g}" for name, curve in series)
    plot = Plot(
        title, f"{ends}.", (1, last), (0, ticks[-1]), "epoch", y_label,
        sorted({1, *(round(1 + (last - 1) * quarter) for quarter in QUARTERS[1:])}), ticks,
    )  # fmt: skip
    for index, (name, curve) in enumerate(series):
        plot.line(curve, f"s{index}")
        plot.dot(curve[-1], 2.6, f"end s{index}", f"{name}: {curve[-1][1]:.4g} after epoch {curve[-1][0]:g}")
    return plot.svg


def even_ticks(highest: float) -> list[float]:
    """Three to six round values from 0 to at least `highest`."""
    if not (highest > 0 and math.isfinite(highest)):
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(highest))
    step = next(size * power for size in (0.2, 0.25, 0.5, 1, 2, 2.5) if highest <= size * power * 5)
    return [float(f"{step * index:.6g}") for index in range(math.ceil(highest / step - 1e-9) + 1)]
