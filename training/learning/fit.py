"""One training run, as a list of steps."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from training.config.groups import TrainingConfig
from training.data.dataset import Dataset, read_dataset
from training.data.problems import write_problems
from training.data.split import Split, split_dataset, write_split
from training.errors import DataProblemsError, DeviceError
from training.evaluation.metrics import compute_metrics
from training.evaluation.predictions import predict
from training.evaluation.report_page import write_evaluation
from training.folder import read_network, write_history, write_network, write_predictions, write_report
from training.learning.devices import arithmetic, is_helper, launch
from training.learning.feeding import Feed
from training.learning.loop import OnEpoch, Training
from training.learning.networks import build_network, try_crops, weights_source
from training.learning.unfinished import PROBLEMS, Unfinished
from training.report import build_report, git_commit, photos_sha256
from training.tracking import runs
from training.transforms import evaluation_transform

if TYPE_CHECKING:
    from training.tracking.gate import GateLine

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitResult:
    """What a finished run has to tell."""

    metrics: dict[str, Any]
    """Part → figures, computed from the stored weights."""
    folder: Path
    seconds: float
    """Of training alone, over all sessions of the run."""
    split_hash: str
    gate: list[GateLine] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)
    """Where else things went."""


def fit(
    config: TrainingConfig,
    root: Path,
    out: Path,
    run: runs.Run | None = None,
    *,
    dataset: Dataset | None = None,
    split: Split | None = None,
    on_epoch: OnEpoch | None = None,
    overwrite: bool = False,
) -> FitResult:
    """Train one member and write its folder; goes on where an interrupted run of the same kind stopped.

    Two runs with the same configuration and photos on the same CPU give the same weights, killed or not.

    Args:
        config: the run.
        root: data folder.
        out: trained-model folder to write; appears whole, by one rename. Until then `<out>.partial` holds the run.
        run: where it is recorded; None: as `config.tracking` says.
        dataset: the photos, where they have been read already.
        split: their parts, where they have been divided already.
        on_epoch: called after each epoch (from 1) with its validation figures; what it raises ends the run.
        overwrite: replace `out` where it exists.

    Raises:
        TrainingError: see `training.errors`.
        SystemExit: in the further processes of a run on several devices, once their part is done.
    """
    with Unfinished(out, overwrite, shared=is_helper()) as partial:
        dataset = dataset or _read(root, config, partial)
        split = split or split_dataset(dataset, config.dataset)
        log.info("split %s: %s photos in %d groups", split.hash[:12], split.sizes, split.groups)
        if not is_helper():
            hashes = {"split": split.hash, "table": dataset.table_sha256, "photos": photos_sha256(dataset)}
            partial.begin(config, hashes)
            write_split(split, partial.folder / "split.csv")
        torch.manual_seed(config.schedule.seed)
        network = build_network(config.model, len(dataset.task.classes))
        try_crops(network, config)
        with run or runs.start(config, dataset.task, dataset, split, git_commit(), state=partial.folder) as run:
            trained = _train(network, config, split, len(dataset.task.classes), partial, run, on_epoch)
            metrics = _write(trained, config, dataset, split, partial.member)
            partial.finish()
            lines = run.finish(out, metrics)
    return FitResult(metrics, out, trained.seconds, split.hash, lines, run.summary)


def _read(root: Path, config: TrainingConfig, partial: Unfinished) -> Dataset:
    try:
        return read_dataset(root, config.dataset)
    except DataProblemsError as error:
        listed = partial.folder / PROBLEMS
        write_problems(error.problems, listed)
        raise DataProblemsError(f"{error}\nAll of them: {listed}", error.problems) from error


@dataclass(frozen=True)
class _Trained:
    network: nn.Module
    weights: dict[str, str]
    history: list[dict[str, Any]]
    stopped: str
    seconds: float


def _train(
    network: nn.Module,
    config: TrainingConfig,
    split: Split,
    classes: int,
    partial: Unfinished,
    run: runs.Run,
    on_epoch: OnEpoch | None,
) -> _Trained:
    weights = weights_source(config.model, network, config.schedule.seed)
    log.info("weights: %s", ", ".join(weights.values()))
    fabric = launch(config.hardware)
    partial.check_shared(fabric.broadcast)
    with arithmetic(config.hardware, fabric.device):
        feed = Feed(
            config,
            split,
            classes,
            evaluation_transform(network),
            fabric.world_size,
            fabric.global_rank,
            pinned=fabric.device.type == "cuda",
        )
        training = Training(fabric, network, config, feed, partial, run.loggers, on_epoch)
        try:
            trained = training.run()
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"The GPU's memory does not suffice: {error}. Lower schedule.batch_size and raise schedule.accumulate, or lower "
                "model.input_size."
            ) from error
    fabric.barrier()
    if fabric.global_rank:
        raise SystemExit(0)
    seconds = training.history[-1]["seconds"]
    return _Trained(trained, weights, training.history, training.stopped, seconds)


def _write(trained: _Trained, config: TrainingConfig, dataset: Dataset, split: Split, folder: Path) -> dict[str, Any]:
    """Write the trained-model folder; its figures come from what others will load."""
    shutil.rmtree(folder, ignore_errors=True)
    device = next(trained.network.parameters()).device
    write_network(folder, trained.network.cpu(), dataset.task, config.model.weights)
    stored = read_network(folder).to(device)
    keys = [info.key for info in dataset.task.classes]
    metrics: dict[str, Any] = {}
    for part, photos in (("validation", split.validation), ("test", split.test)):
        if photos:
            predictions = predict(stored, photos, split.hash)
            write_predictions(folder, part, predictions)
            metrics[part] = compute_metrics(predictions.logits, predictions.labels, keys)
    write_history(folder, trained.history)
    if dataset.problems:
        write_problems(dataset.problems, folder / PROBLEMS)
    evaluation = write_evaluation(folder, dataset, split, trained.history, config)
    session = {"epochs": len(trained.history), "stopped": trained.stopped or "after the last epoch"}
    report = build_report(config, dataset, split, stored, metrics, trained.seconds)
    write_report(folder, report | {"weights": trained.weights, "training": session, "evaluation": evaluation})
    return metrics
