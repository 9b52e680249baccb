"""Judges what test photos say of a release."""

from collections.abc import Mapping, Sequence
from typing import Any

from export.calibration import Calibration
from export.facts import mean_probabilities
from export.figures import wilson
from export.gates import Gates
from export.members import Member


def judge_ensemble(gates: Gates, comparison: Mapping[str, Any]) -> None:
    """What averaging loses against the best member.

    Raises:
        GateError: too much.
    """
    if len(comparison["members"]) == 1:
        return
    gains = [of["ensemble_gains"]["f1_macro"] for of in comparison["members"].values()]
    worst = min(gains, key=lambda gain: float(gain["value"]))
    low, high = worst["interval"]
    gates.at_most("ensemble_loss", -worst["value"], (-high, -low))


def judge_loss(gates: Gates, comparison: Mapping[str, Any], before: float | None) -> None:
    """What the release loses against the one that it follows, which had other test photos.

    Args:
        before: macro-F1 of that one; None where there is nothing to compare with.

    Raises:
        GateError: the whole interval lies below that figure.
    """
    if before is None:
        return
    said = comparison["ensemble"]["f1_macro"]
    low, high = said["interval"]
    gates.at_most("release_loss", before - said["value"], (before - high, before - low))


def judge_coverage(
    gates: Gates, members: Sequence[Member], calibration: Calibration, thresholds: Mapping[str, Any]
) -> None:
    """How often prediction sets hold the truth of test photos, against what they promise, whatever they were fitted on.

    Raises:
        GateError: too seldom, or too often.
    """
    mean = mean_probabilities(members, calibration, "test")
    if mean is None or thresholds["prediction_set_probability"] is None:
        return
    probabilities, labels = mean
    held = probabilities[range(len(labels)), labels] >= thresholds["prediction_set_probability"]
    low, high = wilson(int(held.sum()), len(labels))
    target, share = thresholds["coverage"], float(held.mean())
    nearest = 0.0 if low <= target <= high else min(abs(low - target), abs(high - target))
    furthest = max(abs(low - target), abs(high - target))
    gates.at_most("coverage", abs(share - target), (nearest, furthest))
