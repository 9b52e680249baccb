"""The quality gate: what the test photos must say before a member becomes its task's champion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.config.running import GateConfig
from training.errors import ModelFolderError
from training.evaluation.calibration import fit_temperature
from training.evaluation.metrics import compute_metrics
from training.folder import Predictions, read_predictions, read_task
from training.tracking.comparison import Difference, compare_f1_macro


@dataclass(frozen=True)
class GateLine:
    """One condition and how it came out."""

    name: str
    value: float
    bound: float
    passed: bool
    text: str
    """A sentence for people, with both numbers."""


@dataclass(frozen=True)
class Champion:
    """Whom a new member is measured against."""

    name: str
    version: int
    classes: list[str]
    predictions: Predictions
    """Of the photos that it was judged on."""


def judged_photos(folder: Path) -> tuple[str, Predictions]:
    """The part a member is judged on and what it said there: `test`, or `validation` where nothing was set aside for
    testing (folds).

    Raises:
        ModelFolderError: the predictions or the classes are missing or damaged, or do not belong together.
    """
    part, said = "validation", read_predictions(folder, "validation")
    if (folder / "test.npz").is_file():
        test = read_predictions(folder, "test")
        if len(test.labels):
            part, said = "test", test
    if said.logits.shape[1] != (classes := len(read_task(folder).classes)):
        raise ModelFolderError(
            f"{folder / part}.npz has logits of {said.logits.shape[1]} classes, classes.json names {classes}. Train the model "
            "again."
        )
    return part, said


def judge(folder: Path, bars: GateConfig, champion: Champion | None) -> list[GateLine]:
    """Hold a trained-model folder against its bars and the champion.

    The calibration error is taken at the temperature fitted on the validation photos, as the member is served.

    Raises:
        ModelFolderError: predictions or classes are missing or damaged.
    """
    classes = [info.key for info in read_task(folder).classes]
    part, said = judged_photos(folder)
    validation = read_predictions(folder, "validation")
    temperature = fit_temperature(validation.logits, validation.labels)
    metrics = compute_metrics(said.logits, said.labels, classes)
    cooled = compute_metrics(said.logits / temperature, said.labels, classes)
    photos = f"{len(said.labels)} {part} photos"
    return [
        _at_least("accuracy_micro", metrics["accuracy_micro"], bars.accuracy_micro, f"accuracy (micro) on {photos}"),
        _at_least("f1_macro", metrics["f1_macro"], bars.f1_macro, f"F1 (macro) on {photos}"),
        _recalls(metrics["recall_per_class"], bars.recall_floor, photos),
        _calibration(cooled["ece_15_bins_l1"], bars.ece, temperature, photos),
        _not_worse(said, classes, champion, bars.champion_margin),
    ]


def failed(lines: Iterable[GateLine]) -> list[GateLine]:
    """Those that hold the member back."""
    return [line for line in lines if not line.passed]


def table(lines: Iterable[GateLine]) -> str:
    """One line per condition, for the terminal and the registry."""
    return "".join(f"  {'pass' if line.passed else 'FAIL'}  {line.text}\n" for line in lines)


def _at_least(name: str, value: float, bound: float, what: str) -> GateLine:
    passed = value >= bound
    return GateLine(
        name, value, bound, passed, f"{what}: {value:.3f}, {'at least' if passed else 'below'} gate.{name} {bound:g}"
    )


def _recalls(recalls: dict[str, dict[str, Any]], bound: float, photos: str) -> GateLine:
    known = {key: float(row["recall"]) for key, row in recalls.items() if row["photos"]}
    lowest = min(known, key=lambda key: known[key])
    low = [f"{key} {known[key]:.3f} of {recalls[key]['photos']}" for key in known if known[key] < bound]
    said = f"below gate.recall_floor {bound:g}: {', '.join(low)}" if low else f"at least gate.recall_floor {bound:g}"
    unseen = [key for key in recalls if key not in known]
    unknown = f"; no photo of {', '.join(unseen)}" if unseen else ""
    text = f"recall of each class on {photos}: lowest {known[lowest]:.3f} ({lowest}), {said}{unknown}"
    return GateLine("recall_floor", known[lowest], bound, not low, text)


def _calibration(value: float, bound: float, temperature: float, photos: str) -> GateLine:
    passed = value <= bound
    said = "at most" if passed else "above"
    text = f"ECE (15 bins, l1, at temperature {temperature:.2f}) on {photos}: {value:.3f}, {said} gate.ece {bound:g}"
    return GateLine("ece", value, bound, passed, text)


def _not_worse(said: Predictions, classes: list[str], champion: Champion | None, margin: float) -> GateLine:
    name = "champion"
    if champion is None:
        return GateLine(name, 0.0, -margin, True, "champion: there is none yet")
    who = f"champion {champion.name} version {champion.version}"
    if champion.classes != classes:
        return GateLine(name, 0.0, -margin, True, f"{who} knows other classes: not compared")
    found: Difference = compare_f1_macro(said, champion.predictions, len(classes))
    passed = found.high >= -margin
    verdict = "not worse beyond noise" if passed else f"worse by more than gate.champion_margin {margin:g} and noise"
    text = f"F1 (macro) against {who}: {found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}], {verdict} ({found.method})"
    return GateLine(name, found.value, -margin, passed, text)
