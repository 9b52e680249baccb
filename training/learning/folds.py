"""k-fold cross-validation of one or several recipes, with a prediction for every photo by a network that never saw it.

::

    <out>/                      one recipe
        fold_1/ ... fold_k/     trained-model folders
        oof.npz                 logits float32 [N, C] of all photos but the test set's, as in validation.npz
        oof_views.npz           the same over eight views, where `evaluation.views` is 8
        classes.json
        folds.json              figures with intervals, per fold and over all photos
    <out>/<member>/             several recipes: the above for each, and in <out> itself for the average of their answers
    <members>/<member>/oof.npz  where trained members are named: a copy, for export to fit thresholds on
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from training.config.groups import TrainingConfig
from training.data.dataset import Dataset, read_dataset
from training.data.split import Split, fold_splits
from training.errors import ConfigurationError, ModelFolderError
from training.evaluation import resampling
from training.evaluation.members import Answers, answers_of, average, paired_difference
from training.evaluation.metrics import compute_metrics
from training.evaluation.predictions import predict
from training.folder import Predictions, read_network, read_predictions, write_json, write_predictions
from training.learning.devices import one_device
from training.learning.fit import fit
from training.learning.folds_of_members import OOF, check_members, hand_over
from training.report import same_recipe
from training.tasks import Task

log = logging.getLogger(__name__)

VIEWS = "oof_views"
AVERAGE = "average"


def cross_validate(
    configs: Sequence[TrainingConfig], root: Path, out: Path, jobs: int = 1, members: Path | None = None
) -> dict[str, Any]:
    """Train every recipe on every fold and write the folders above; folds that are done are not done again.

    Args:
        configs: recipes with the same `dataset` and different members' names.
        root: data folder.
        out: folder to write, or to go on with.
        jobs: folds side by side, each in a process of its own with one thread.
        members: folder of one trained-model folder for each recipe, which get the answers, too.

    Returns:
        What `<out>/folds.json` holds.

    Raises:
        ConfigurationError: the recipes do not belong together.
        ModelFolderError: what lies in `out` or `members` comes from another recipe or other photos.
        TrainingError: as `fit`.
    """
    for config in configs:
        one_device(config.hardware, "Folds go side by side with --jobs.")
        if config.schedule.chooses_epoch:
            log.warning(
                "%s: each fold's photos choose its epoch, which flatters its figures; schedule.keep last does not",
                config.member,
            )
    if any(config.dataset != configs[0].dataset for config in configs):
        raise ConfigurationError("The recipes differ in their group dataset: only the same folds can be compared.")
    names = [config.member for config in configs]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"Two recipes are both called {names[0]}: give each its own model.name.")
    if members is not None:
        check_members(members, configs)
    dataset = read_dataset(root, configs[0].dataset)
    splits = fold_splits(dataset, configs[0].dataset)
    recipes = {out if len(configs) == 1 else out / config.member: _alone(config, jobs) for config in configs}
    runs = [
        (config, folder / f"fold_{number}", split)
        for number, split in enumerate(splits, start=1)
        for folder, config in recipes.items()
    ]
    missing = [run for run in runs if not _done(*run)]
    log.info("%d of %d folds to train", len(missing), len(runs))
    _train(missing, root, dataset, jobs)
    for folder, config in recipes.items():
        _summarise(folder, config, splits, dataset)
    if len(configs) > 1:
        _summarise_average(out, list(recipes), dataset.task)
    if members is not None:
        for folder, config in recipes.items():
            hand_over(read_predictions(folder, OOF), members / config.member)
    return dict(json.loads((out / "folds.json").read_text(encoding="utf-8")))


def _alone(config: TrainingConfig, jobs: int) -> TrainingConfig:
    """One fold's run: it is no member of its own, so nothing is tracked and no page is written."""
    changes: dict[str, Any] = {
        "tracking": config.tracking.model_copy(update={"mlflow": "off", "tensorboard": False, "wandb": "off"}),
        "evaluation": config.evaluation.model_copy(update={"page": False}),
    }
    if jobs > 1:
        changes["hardware"] = config.hardware.model_copy(update={"threads": 1})
    return config.model_copy(update=changes)


def _done(config: TrainingConfig, folder: Path, split: Split) -> bool:
    if not folder.is_dir():
        return False
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        same = same_recipe(report["configuration"], config) and report["split"]["hash"] == split.hash
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFolderError(f"{folder / 'report.json'} cannot be read: {error!r}. Remove {folder}.") from error
    if not same:
        raise ModelFolderError(
            f"{folder} was trained by another recipe or on other photos: name another --out, or remove it."
        )
    return True


def _train(runs: Sequence[tuple[TrainingConfig, Path, Split]], root: Path, dataset: Dataset, jobs: int) -> None:
    if jobs == 1:
        for config, folder, split in runs:
            _train_one(config, root, folder, dataset, split)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), _listen) as pool:
        pending = [pool.submit(_train_one, config, root, folder, dataset, split) for config, folder, split in runs]
        try:
            for future in as_completed(pending):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _listen() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(process)d] %(message)s", datefmt="%H:%M:%S")
    for chatty in ("lightning", "lightning.fabric", "timm"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    sys.stderr.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def _train_one(config: TrainingConfig, root: Path, folder: Path, dataset: Dataset, split: Split) -> None:
    log.info("%s", folder)
    fit(config, root, folder, dataset=dataset, split=split)


def _summarise(folder: Path, config: TrainingConfig, splits: Sequence[Split], dataset: Dataset) -> None:
    """Write what one recipe's folds say together."""
    members = [folder / f"fold_{number}" for number in range(1, len(splits) + 1)]
    reports = [json.loads((member / "report.json").read_text(encoding="utf-8")) for member in members]
    split_hash = hashlib.sha256("".join(split.hash for split in splits).encode()).hexdigest()
    whole = _together([read_predictions(member, "validation") for member in members], split_hash)
    write_predictions(folder, OOF, whole)
    figures = {"metrics": _figures(whole, dataset.task)}
    if config.evaluation.views > 1:
        parts = []
        for member, split in zip(members, splits, strict=True):
            parts.append(predict(read_network(member), split.validation, split.hash, views=config.evaluation.views))
        views = _together(parts, split_hash)
        write_predictions(folder, VIEWS, views)
        figures["metrics_of_8_views"] = _figures(views, dataset.task)
    shutil.copyfile(members[0] / "classes.json", folder / "classes.json")
    of_fold = [report["metrics"]["validation"] for report in reports]
    write_json(
        folder / "folds.json",
        {
            "task": dataset.task.task,
            "member": config.member,
            "folds": len(splits),
            "epoch_chosen_on_these_photos": config.schedule.chooses_epoch,
            "members": [member.name for member in members],
            "split_hash": split_hash,
            **figures,
            "per_fold": [
                {key: each[key] for key in ("photos", "accuracy_micro", "f1_macro", "recall_macro")} for each in of_fold
            ],
            "architecture": reports[0]["architecture"],
            "parameters": reports[0]["parameters"],
            "configuration": reports[0]["configuration"],
            "training_seconds": round(sum(report["training_seconds"] for report in reports), 1),
            "git_commit": sorted({str(report["git_commit"]) for report in reports}),
        },
    )


def _summarise_average(out: Path, folders: Sequence[Path], task: Task) -> None:
    """Write what the recipes' answers say on average, photo by photo."""
    written = [json.loads((folder / "folds.json").read_text(encoding="utf-8")) for folder in folders]
    figures: dict[str, Any] = {}
    for name, key in ((OOF, "metrics"), (VIEWS, "metrics_of_8_views")):
        if not all((folder / f"{name}.npz").is_file() for folder in folders):
            continue
        members = [answers_of(folder.name, read_predictions(folder, name), None) for folder in folders]
        mean = average(members, AVERAGE)
        predictions = Predictions(mean.logits, mean.labels, mean.image_ids, written[0]["split_hash"])
        write_predictions(out, name, predictions)
        figures[key] = _figures(predictions, task)
        figures[f"{key}_difference_from"] = _differences(mean, members)
    shutil.copyfile(folders[0] / "classes.json", out / "classes.json")
    write_json(
        out / "folds.json",
        {
            "task": task.task,
            "member": AVERAGE,
            "folds": written[0]["folds"],
            "members": [folder.name for folder in folders],
            "split_hash": written[0]["split_hash"],
            **figures,
            "of_members": {each["member"]: each["metrics"] for each in written},
            "architecture": " + ".join(each["architecture"] for each in written),
            "parameters": sum(each["parameters"] for each in written),
            "training_seconds": round(sum(each["training_seconds"] for each in written), 1),
        },
    )


def _differences(mean: Answers, members: Sequence[Answers]) -> dict[str, Any]:
    return {member.name: paired_difference(mean, member) for member in members}


def _together(parts: Sequence[Predictions], split_hash: str) -> Predictions:
    ids = np.concatenate([part.image_ids for part in parts])
    order = np.argsort(ids)
    return Predictions(
        logits=np.concatenate([part.logits for part in parts])[order],
        labels=np.concatenate([part.labels for part in parts])[order],
        image_ids=ids[order],
        split_hash=split_hash,
    )


def _figures(predictions: Predictions, task: Task) -> dict[str, Any]:
    """All figures, and bootstrap intervals of accuracy and balanced accuracy beside macro-F1's."""
    metrics = compute_metrics(predictions.logits, predictions.labels, [info.key for info in task.classes])
    predicted = np.asarray(predictions.logits.argmax(axis=1), dtype=np.int64)
    for key, statistic in (("accuracy_micro", resampling.accuracy), ("recall_macro", resampling.recall_macro)):

        def drawn(draws: resampling.Draws, statistic: Any = statistic) -> resampling.Values:
            confusion = resampling.confusions(predicted, predictions.labels, len(task.classes), draws)
            return np.asarray(statistic(confusion))

        metrics[f"{key}_bootstrap_interval"] = resampling.interval(resampling.resample(len(predictions.labels), drawn))
    return metrics
