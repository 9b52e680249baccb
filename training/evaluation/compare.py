"""The ablation table: runs side by side, each against a baseline on the same photos, and what was set differently."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import ConfigurationError, ModelFolderError
from training.evaluation.analysis import figures
from training.evaluation.calibration import calibration_figures
from training.evaluation.members import Answers, answers_of, paired_difference
from training.folder import read_predictions, read_task, read_test
from training.tasks import Task

OUT_OF_FOLD = "oof"
_IRRELEVANT = {"tracking", "gate", "search", "evaluation"}
_IRRELEVANT_FIELDS = {"model.name", "dataset.origin", "dataset.licence", "hardware.threads", "dataset.workers"}
_INTERVALS = ("accuracy_micro", "f1_macro", "recall_macro", "auc_one_vs_rest_macro")


@dataclass(frozen=True)
class Run:
    """One finished run: a trained-model folder, or a folder of `folds` with out-of-fold answers."""

    name: str
    task: Task
    part: str
    answers: Answers
    split_hash: str
    report: dict[str, Any]
    history: Sequence[dict[str, Any]]


def read_runs(folder: Path) -> list[Run]:
    """A trained-model folder, or a folder of `folds`: there, where it holds several members, each of them and their mean.

    Raises:
        ModelFolderError: a file is missing or damaged.
    """
    inner = sorted(path.parent for path in folder.glob(f"*/{OUT_OF_FOLD}.npz") if _of_folds(path.parent))
    return [read_run(each) for each in (*inner, folder)]


def _of_folds(folder: Path) -> bool:
    """Whether `folds` wrote a folder; a trained model may have out-of-fold answers, too, for export to fit thresholds on."""
    return (folder / f"{OUT_OF_FOLD}.npz").is_file() and not (folder / "model.safetensors").is_file()


def read_run(folder: Path) -> Run:
    """Read a run's stored answers and report; no photo is opened.

    Raises:
        ModelFolderError: a file is missing or damaged.
    """
    folds = _of_folds(folder)
    judged = read_predictions(folder, OUT_OF_FOLD) if folds else read_test(folder)
    validation = None if folds else read_predictions(folder, "validation")
    part = "out-of-fold" if folds else "test"
    if validation is not None and not len(judged.labels):  # nothing was set aside: the page says validation
        part, judged, validation = "validation", validation, None
    name = folder.resolve().name
    report = _json(folder / "report.json", required=not folds)
    history = _json(folder / "history.json", required=False, kind=dict | list)
    return Run(
        name=name,
        task=read_task(folder),
        part=part,
        answers=answers_of(name, judged, validation),
        split_hash=judged.split_hash,
        report={**_json(folder / "folds.json", required=False), **report},
        history=history if isinstance(history, list) else history.get("epochs", []),
    )


def _json(path: Path, required: bool, kind: Any = dict) -> Any:
    if not path.is_file() and not required:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, kind):
            raise ValueError(f"it holds a {type(found).__name__}")
        return found
    except (OSError, ValueError) as error:
        raise ModelFolderError(f"{path} is missing or damaged: {error}. Train the model again.") from error


def ablation(runs: Sequence[Run], baseline: str = "") -> list[dict[str, Any]]:
    """One JSON-ready row per run, in the given order; averaging is part of each figure's name.

    Args:
        runs: of one task.
        baseline: name of the run that the others are compared with; empty: the first.

    Raises:
        ConfigurationError: no run has the baseline's name, or two runs have the same.
        ModelFolderError: the runs differ in their classes.
    """
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"Two runs have the same name among {', '.join(names)}: rename a folder.")
    if baseline and baseline not in names:
        raise ConfigurationError(f"No run is called {baseline}: give --baseline one of {', '.join(names)}.")
    base = runs[names.index(baseline)] if baseline else runs[0]
    keys = [info.key for info in base.task.classes]
    changed = differing(runs)
    rows = []
    for run in runs:
        if [info.key for info in run.task.classes] != keys:
            raise ModelFolderError(f"{run.name} and {base.name} differ in their classes: compare runs of one task.")
        metrics = figures(run.answers, keys)
        rows.append(
            {
                "run": run.name,
                "part": run.part,
                "photos": len(run.answers.labels),
                "split_hash": run.split_hash,
                "architecture": run.report.get("architecture"),
                "parameters": run.report.get("parameters"),
                **{name: metrics[name] for figure in _INTERVALS for name in (figure, f"{figure}_interval")},
                "precision_macro": metrics["precision_macro"],
                "classes_without_photos": metrics["classes_without_photos"],
                "recall_per_class": {key: row["recall"] for key, row in metrics["recall_per_class"].items()},
                "ece_15_bins_l1": metrics["ece_15_bins_l1"],
                "ece_15_bins_l1_after_temperature": None
                if run.answers.calibrated is None
                else calibration_figures(run.answers.calibrated, run.answers.labels)["ece_15_bins_l1"],
                "training_seconds": run.report.get("training_seconds"),
                "baseline": base.name,
                "minus_baseline": None
                if run is base or not same_photos(run, base)
                else paired_difference(run.answers, base.answers),
                "settings": {name: _flat(run.report.get("configuration", {})).get(name) for name in changed},
            }
        )
    return rows


def same_photos(one: Run, other: Run) -> bool:
    """Whether two runs answered the same photos in the same order."""
    return np.array_equal(one.answers.image_ids, other.answers.image_ids) and np.array_equal(
        one.answers.labels, other.answers.labels
    )


def differing(runs: Sequence[Run]) -> list[str]:
    """Fields of the configuration in which the runs differ, such as `loss.name`."""
    settings = [_flat(run.report.get("configuration", {})) for run in runs]
    names = sorted({name for each in settings for name in each})
    return [
        name
        for name in names
        if name.partition(".")[0] not in _IRRELEVANT
        and name not in _IRRELEVANT_FIELDS
        and len({json.dumps(each.get(name), sort_keys=True) for each in settings}) > 1
    ]


def _flat(configuration: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{group}.{name}": value
        for group, fields in configuration.items()
        if isinstance(fields, dict)
        for name, value in fields.items()
    }
