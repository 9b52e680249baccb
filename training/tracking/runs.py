"""One training run, recorded: parameters, metrics per epoch, the folder with its pages, and the gate at the end."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from training.config.groups import TrainingConfig
from training.errors import TrackingError
from training.learning.devices import is_helper
from training.report import photos_sha256, shown_configuration
from training.tracking import registry
from training.tracking.gate import GateLine, judge
from training.tracking.loggers import MlflowLogger, end, tensorboard, wandb
from training.tracking.store import Store, open_store

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

    from training.data.dataset import Dataset
    from training.data.split import Split
    from training.tasks import Task

log = logging.getLogger(__name__)

BUILD = Path("build")
STATE = "tracking.json"
OFF = "off"
_LONGEST = 500
"""Characters of a parameter's value that older servers keep."""


@dataclass
class Run:
    """A run under way; leave its `with` block to end it."""

    config: TrainingConfig
    loggers: list[Logger] = field(default_factory=list)
    """For Lightning's Trainer."""
    summary: list[str] = field(default_factory=list)
    """Lines for the end: where things went."""
    store: Store | None = None
    run_id: str = ""

    def finish(self, folder: Path, metrics: dict[str, Any]) -> list[GateLine]:
        """Record the folder, register it, judge it, and move the aliases.

        Args:
            folder: the whole trained-model folder under its final name, which is the member's.
            metrics: part → figures, as in `report.json`.

        Raises:
            TrackingError: the server went away; the folder is untouched and the message says how to register it later.
        """
        for logger in self.loggers:
            logger.log_metrics(flat_metrics(metrics))
        if self.store is None:
            return judge(folder, self.config.gate, None)
        try:
            for logger in self.loggers:
                if isinstance(logger, MlflowLogger):
                    logger.send()
            return self._register(self.store, folder)
        except TrackingError as error:
            raise TrackingError(
                f"{error} {folder} is whole; once that is mended: python -m training gate --model {folder}"
            ) from error

    def _register(self, store: Store, folder: Path) -> list[GateLine]:
        name = registry.registered_name(folder)
        if not self.config.tracking.registry:
            with store.asked("take the folder"):
                store.client.log_artifacts(self.run_id, str(folder), registry.ARTIFACTS)
            return judge(folder, self.config.gate, registry.read_champion(store, name))
        version = registry.register(store, folder, self.run_id)
        lines = judge(folder, self.config.gate, registry.read_champion(store, name))
        moved = registry.record(store, version, lines)
        self.summary.append(registry.said(version, moved, store))
        return lines

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the run: FINISHED, KILLED where it was interrupted, FAILED otherwise."""
        status = "FINISHED" if kind is None else "KILLED" if issubclass(kind, KeyboardInterrupt) else "FAILED"
        for logger in self.loggers:
            end(logger, succeeded=kind is None)
        if self.store is not None:
            try:
                with self.store.asked("end the run"):
                    self.store.client.set_terminated(self.run_id, status)
            except TrackingError as failure:
                log.warning("%s", failure)


def start(
    config: TrainingConfig,
    task: Task,
    dataset: Dataset,
    split: Split,
    git_commit: str | None,
    state: Path | None = None,
) -> Run:
    """Begin to record a run, or go on with the one that was killed.

    Args:
        config: its groups `tracking` and `gate`, and all groups as parameters.
        task: names the experiment.
        dataset: for its hashes.
        split: for its hash.
        git_commit: of this code; None outside a checkout.
        state: folder that outlives a kill; the run's id is kept there in `tracking.json`.

    Raises:
        TrackingError: the server or service does not answer: said now, before hours of training.
    """
    run, wanted = Run(config), config.tracking
    if is_helper():  # DDP starts this program once per device; one of them speaks
        return run
    kept = _read_state(state)
    version = kept.get("version") or time.strftime("%Y%m%d-%H%M%S")
    if wanted.mlflow != OFF:
        run.store = open_store(wanted.mlflow)
        hashes = {
            "split_hash": split.hash,
            "table_sha256": dataset.table_sha256,
            "photos_sha256": photos_sha256(dataset),
            "git_commit": git_commit or "none",
        }
        run.run_id = _resumed(run.store, kept.get("run", "")) or begin(
            run.store, wanted.experiment or task.task, config.member, shown_configuration(config), hashes
        )
        run.loggers.append(MlflowLogger(run.store, run.run_id))
        run.summary.append(f"MLflow run {run.run_id} in {run.store.address}")
    if wanted.tensorboard:
        run.loggers.append(tensorboard(BUILD / "tensorboard", f"{task.task}-{config.member}", version))
        run.summary.append(f"TensorBoard: tensorboard --logdir {BUILD / 'tensorboard'}")
    if wanted.wandb != OFF:
        folder, values = BUILD / "wandb", shown_configuration(config)
        run.loggers.append(wandb(wanted.wandb, folder, task.task, config.member, f"{config.member}-{version}", values))
        run.summary.append(f"Weights & Biases, {wanted.wandb}: {folder}")
    if state is not None:
        state.mkdir(parents=True, exist_ok=True)
        (state / STATE).write_text(json.dumps({"run": run.run_id, "version": version}), encoding="utf-8")
    return run


def begin(store: Store, experiment: str, name: str, parameters: dict[str, Any], hashes: dict[str, str]) -> str:
    """Make an MLflow run with its parameters and tags; its id.

    Raises:
        TrackingError: the server refuses.
    """
    from mlflow.entities import Param, RunTag

    where = store.experiment(experiment)
    with store.asked("begin a run"):
        run_id = str(store.client.create_run(where, run_name=name).info.run_id)
        flat = [Param(key, value[:_LONGEST]) for key, value in _flat(parameters)]
        tags = [RunTag(key, value) for key, value in hashes.items()]
        tags.append(RunTag("mlflow.source.git.commit", hashes["git_commit"].removesuffix("-dirty")))
        store.client.log_batch(run_id, tags=tags)
        for first in range(0, len(flat), 100):  # MLflow's limit
            store.client.log_batch(run_id, params=flat[first : first + 100])
    return run_id


def _resumed(store: Store, run_id: str) -> str:
    if not run_id:
        return ""
    try:
        with store.asked("go on with the run"):
            store.client.update_run(run_id, status="RUNNING")
    except TrackingError as error:
        log.warning("%s A new run begins.", error)
        return ""
    return run_id


def _read_state(state: Path | None) -> dict[str, str]:
    try:
        return dict(json.loads((state / STATE).read_text(encoding="utf-8"))) if state else {}
    except (OSError, ValueError):
        return {}


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict) and value and not prefix:
            yield from _flat(value, f"{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value) if isinstance(value, dict | list) else str(value)


def flat_metrics(metrics: dict[str, Any]) -> dict[str, float]:
    """Figures of each part by name, `test/f1_macro`; of each class `test/recall/<class>`."""
    flat = {}
    for part, figures in metrics.items():
        for name, value in figures.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                flat[f"{part}/{name}"] = float(value)
        for key, row in figures.get("recall_per_class", {}).items():
            if row["recall"] is not None:
                flat[f"{part}/recall/{key}"] = float(row["recall"])
    return flat
