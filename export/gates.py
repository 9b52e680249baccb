"""What a release must prove before it exists. Each gate has a name, a default, and can be overridden by it alone.

A figure from few photos is judged by its 95 % interval: the gate closes when the whole interval lies outside.
"""

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from export.errors import GateError

DEFAULTS: Mapping[str, float] = {
    "parity": 1e-4,
    "parity_cuda": 1e-3,
    "parity_float16_weights": 5e-3,
    "half_precision": 0.01,
    "plan": 0.01,
    "served_parity": 0.02,
    "coverage": 0.03,
    "refused_leaves": 0.05,
    "refused_others": 0.95,
    "refused_near": 0.8,
    "ensemble_loss": 0.0,
    "release_loss": 0.0,
}
"""Largest difference of a probability: torch to ONNX, the same on a GPU, with float16 weights, in half precision, of a
TensorRT plan to ONNX, through Triton.
Then: points by which prediction sets may miss their coverage, most leaves refused, fewest other pictures refused, fewest of
those among them that resemble leaves, and most macro-F1 that averaging may lose against the best member, and the release
against the one that it is to follow.

`refused_near` asks for less than `refused_others`, in which a few near pictures drown among many far ones: flowers share their
textures and colours with leaves, and scores of this kind let about a quarter of them through where no flower was fitted on.
Every near category is judged by a fit without it. Below four in five of them all the score tells apart what is far away and
no more."""


@dataclass(frozen=True)
class Verdict:
    """One gate's figure against its bound."""

    gate: str
    figure: float
    interval: tuple[float, float] | None
    bound: float
    passed: bool
    overridden: bool


class Gates:
    """Judges figures as they come, remembers every verdict for the report.

    Args:
        overrides: bounds by gate; None lets a gate pass whatever its figure.
    """

    def __init__(self, overrides: Mapping[str, float | None] | None = None) -> None:
        self._overrides = dict(overrides or {})
        self.verdicts: list[Verdict] = []

    def bound(self, gate: str) -> float:
        """Where the gate stands; infinite where it was switched off."""
        given = self._overrides.get(gate, DEFAULTS[gate])
        return float("inf") if given is None else given

    def at_most(
        self, gate: str, figure: float, interval: tuple[float, float] | None = None, what: str | None = None
    ) -> None:
        """Close when the figure, or its interval's lower end, exceeds the bound.

        Raises:
            GateError: it does, and the gate was not switched off.
        """
        low = figure if interval is None else interval[0]
        self._judge(gate, figure, interval, low <= self.bound(gate), what or "at most")

    def at_least(self, gate: str, figure: float, interval: tuple[float, float]) -> None:
        """Close when the interval's upper end is below the bound.

        Raises:
            GateError: it is, and the gate was not switched off.
        """
        off = gate in self._overrides and self._overrides[gate] is None
        self._judge(gate, figure, interval, off or interval[1] >= self.bound(gate), "at least")

    def _judge(
        self, gate: str, figure: float, interval: tuple[float, float] | None, passed: bool, relation: str
    ) -> None:
        bound = self.bound(gate)
        self.verdicts.append(Verdict(gate, figure, interval, bound, passed, gate in self._overrides))
        if not passed:
            between = "" if interval is None else f" (95 % interval {interval[0]:.3g} to {interval[1]:.3g})"
            raise GateError(
                f"The gate {gate} is closed: {figure:.3g}{between}, allowed {relation} {bound:g}. No release was written. "
                f"Mend the members, or take it knowingly with --gate {gate}=VALUE or --gate {gate}=off."
            )

    def said(self) -> list[dict[str, object]]:
        """All verdicts as JSON values; an infinite bound is null."""
        return [asdict(v) | {"bound": None if v.bound == float("inf") else v.bound} for v in self.verdicts]


def override(text: str) -> tuple[str, float | None]:
    """An argument `NAME=VALUE` or `NAME=off`."""
    name, _, value = text.partition("=")
    if name not in DEFAULTS:
        raise argparse.ArgumentTypeError(f"there is no gate {name!r}; the gates are {', '.join(DEFAULTS)}")
    try:
        return name, None if value == "off" else float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: say {name}=NUMBER or {name}=off") from None


def share(text: str) -> float:
    """An argument strictly between 0 and 1."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value
