"""Lightning loggers: MLflow's of our own, TensorBoard's and Weights & Biases'."""

from __future__ import annotations

import logging
import os
import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch.loggers import Logger
from lightning_utilities.core.rank_zero import rank_zero_only

from training.errors import TrackingError
from training.tracking.store import Store
from training.transfer.addresses import reason

if TYPE_CHECKING:
    from mlflow.entities import Metric

log = logging.getLogger(__name__)

BATCH = 500
"""Metrics per request; MLflow takes 1,000."""


class MlflowLogger(Logger):
    """Sends metrics to one MLflow run, with the epoch (from 1) as their step.

    A server that goes away in mid-training must not cost the training: what could not be sent is kept and sent with the
    next epoch's, and the first failure is said once. Lightning's own MLFlowLogger lets the error end the run.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        super().__init__()
        self._store = store
        self._run_id = run_id
        self._unsent: list[Metric] = []
        self._warned = False

    @property
    def name(self) -> str:
        """Which logger this is."""
        return "mlflow"

    @property
    def version(self) -> str:
        """Id of the run."""
        return self._run_id

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the configuration was written when the run began."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Keep them and try to send all that is unsent."""
        from mlflow.entities import Metric

        now, epoch = int(time.time() * 1000), int(metrics["epoch"]) + 1 if "epoch" in metrics else step or 0
        named = {name: float(value) for name, value in metrics.items() if name != "epoch"}
        self._unsent += [Metric(name, value, now, epoch) for name, value in named.items()]
        try:
            self.send()
        except TrackingError as error:
            if not self._warned:
                log.warning("%s Training goes on; what is unsent is kept for the next epoch.", error)
            self._warned = True

    def send(self) -> None:
        """Send what is unsent.

        Raises:
            TrackingError: the server did not take it; it stays unsent.
        """
        while self._unsent:
            with self._store.asked("take metrics"):
                self._store.client.log_batch(self._run_id, metrics=self._unsent[:BATCH])
            del self._unsent[:BATCH]


def tensorboard(folder: Path, name: str, version: str) -> Logger:
    """Event files in `folder/name/version`."""
    from lightning.pytorch.loggers import TensorBoardLogger

    return TensorBoardLogger(folder, name=name, version=version, default_hp_metric=False)


def wandb(mode: str, folder: Path, project: str, name: str, version: str, config: dict[str, Any]) -> Logger:
    """A Weights & Biases run, `mode` offline or online; offline ones lie in `folder` until `wandb sync`.

    Raises:
        TrackingError: online, and the service cannot be reached or the key is wrong.
    """
    for variable, value in (("WANDB_SILENT", "true"), ("WANDB_ERROR_REPORTING", "false")):
        os.environ.setdefault(variable, value)
    import wandb as service
    from lightning.pytorch.loggers import WandbLogger
    from wandb.errors import Error

    folder.mkdir(parents=True, exist_ok=True)
    settings = service.Settings(init_timeout=60, login_timeout=30, console="off", disable_git=True)
    try:  # connects now, not after the first epoch
        run = service.init(
            project=project,
            name=name,
            id=version,
            dir=folder,
            config=config,
            mode="offline" if mode == "offline" else "online",
            resume="allow" if mode == "online" else None,
            settings=settings,
        )
    except (Error, OSError) as error:
        raise TrackingError(
            f"Weights & Biases: {reason(error)}. Set WANDB_API_KEY, or say --tracking.wandb offline."
        ) from error
    return WandbLogger(experiment=run)


def end(logger: Logger, succeeded: bool) -> None:
    """Write out what a logger holds and close it."""
    from lightning.pytorch.loggers import WandbLogger

    logger.finalize("success" if succeeded else "failed")
    if isinstance(logger, WandbLogger):  # Lightning leaves it open for the next training in the same process
        logger.experiment.finish(exit_code=0 if succeeded else 1)
