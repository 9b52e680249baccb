"""Whether averaging pays: the ensemble against each of its members on test photos, with bootstrap intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from export.calibration import Calibration
from export.facts import mean_probabilities
from export.figures import Answers, accuracy, calibration_error, f1_macro
from export.members import Member

RESAMPLES = 1000
FIGURES = {"accuracy": accuracy, "f1_macro": f1_macro, "calibration_error": calibration_error}


def compare(members: Sequence[Member], calibration: Calibration) -> dict[str, Any] | None:
    """Figures of the ensemble and its members, and what the ensemble gains over each; None without test photos.

    A gain is the ensemble's figure less the member's (for the calibration error: the other way round), with its 95 %
    percentile interval over the same resampled photos.
    """
    mean = mean_probabilities(members, calibration, "test")
    if mean is None:
        return None
    together, labels = Answers.of(*mean), mean[1]
    each = [
        Answers.of(predictions.probabilities(temperature), labels)
        for predictions, temperature in zip((m.test for m in members), calibration.temperatures, strict=True)
        if predictions is not None
    ]
    rng = np.random.default_rng(0)
    resamples = [rng.integers(0, len(labels), len(labels)) for _ in range(RESAMPLES)]
    drawn = [_figures(answers, resamples) for answers in (together, *each)]
    said: dict[str, Any] = {
        "test_photos": len(labels),
        "agreement": round(float(np.all([a.predicted == each[0].predicted for a in each], axis=0).mean()), 4),
        "ensemble": _said(together, drawn[0]),
        "members": {},
    }
    for member, alone, resampled in zip(members, each, drawn[1:], strict=True):
        gains = {name: _gain(name, together, alone, drawn[0], resampled) for name in FIGURES}
        said["members"][member.name] = {**_said(alone, resampled), "ensemble_gains": gains}
    said["verdict"] = _verdict(said["members"])
    return said


def _figures(answers: Answers, resamples: list[np.ndarray]) -> dict[str, np.ndarray]:
    drawn = [[figure(one) for figure in FIGURES.values()] for one in map(answers.at, resamples)]
    return dict(zip(FIGURES, np.array(drawn).T, strict=True))


def _said(answers: Answers, drawn: dict[str, np.ndarray]) -> dict[str, Any]:
    return {
        name: {"value": round(figure(answers), 4), "interval": _interval(drawn[name])}
        for name, figure in FIGURES.items()
    }


def _gain(
    name: str,
    ensemble: Answers,
    alone: Answers,
    ensemble_drawn: dict[str, np.ndarray],
    alone_drawn: dict[str, np.ndarray],
) -> dict[str, Any]:
    sign = -1 if name == "calibration_error" else 1
    figure = FIGURES[name]
    value = sign * (figure(ensemble) - figure(alone))
    return {"value": round(value, 4), "interval": _interval(sign * (ensemble_drawn[name] - alone_drawn[name]))}


def _interval(drawn: np.ndarray) -> list[float]:
    return [round(float(q), 4) for q in np.quantile(drawn, [0.025, 0.975])]


def _verdict(members: dict[str, Any]) -> str:
    """In words: what averaging gains over the best member."""
    if len(members) == 1:
        return "One member: there is nothing to average."
    best = max(members, key=lambda name: members[name]["f1_macro"]["value"])
    gain = members[best]["ensemble_gains"]["f1_macro"]
    low, high = gain["interval"]
    if low > 0:
        return f"Averaging pays: macro-F1 {gain['value']:+.3f} ({low:+.3f} to {high:+.3f}) over {best} alone."
    if high < 0:
        return f"Averaging harms: macro-F1 {gain['value']:+.3f} ({low:+.3f} to {high:+.3f}) against {best} alone."
    return (
        f"Averaging does not pay on these photos: macro-F1 {gain['value']:+.3f} ({low:+.3f} to {high:+.3f}) against "
        f"{best} alone, an interval that holds zero."
    )
