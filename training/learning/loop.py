"""The training loop: stages of epochs on any number of devices (Lightning Fabric), one checkpoint per epoch.

Whatever is random in an epoch follows from the seed and the epoch's number, so that a run which was killed and resumed
ends with the weights of one which was not (on the CPU).
"""

from __future__ import annotations

import hashlib
import logging
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm  # type: ignore[import-untyped]

from training.config.groups import TrainingConfig
from training.config.schedule import StageConfig
from training.errors import DivergenceError
from training.learning.augmentation import batch_mixing
from training.learning.averaging import WeightAverage
from training.learning.feeding import Feed
from training.learning.layers import build_optimiser, set_trainable, train_mode
from training.learning.losses import Loss
from training.learning.schedules import Progress, StageRates, stage_rates, stages_of
from training.learning.unfinished import BEST, CHECKPOINT, Unfinished
from training.learning.watching import said, validation_figures

log = logging.getLogger(__name__)

Figures = dict[str, float]
OnEpoch = Callable[[int, Figures], None]


@dataclass
class _Stage:
    config: StageConfig
    first: int
    """Epochs before it."""
    model: nn.Module
    optimiser: torch.optim.Optimizer
    rates: StageRates


class Training:
    """One network under training.

    Args:
        fabric: devices and precision; launched.
        network: what learns.
        config: everything else.
        feed: batches of training and validation photos.
        partial: where checkpoints go.
        loggers: Lightning loggers, told each epoch's figures.
        on_epoch: called after each epoch (from 1) with its validation figures; what it raises ends the training.
    """

    def __init__(
        self,
        fabric: Fabric,
        network: nn.Module,
        config: TrainingConfig,
        feed: Feed,
        partial: Unfinished,
        loggers: list[Any],
        on_epoch: OnEpoch | None = None,
    ) -> None:
        self._fabric, self._config, self._feed, self._partial = fabric, config, feed, partial
        self._loggers, self._on_epoch = loggers, on_epoch
        self._layout = torch.channels_last if config.hardware.channels_last else torch.contiguous_format
        self._network = fabric.to_device(network.to(memory_format=self._layout))
        self._average = WeightAverage(network, config.schedule.ema_decay) if config.schedule.ema_decay else None
        self._loss = fabric.to_device(Loss(config.loss, feed.counts))
        self._mix = batch_mixing(config.augmentation, len(feed.counts))
        self._progress = Progress(config.schedule)
        self._seconds = 0.0
        self.history: list[dict[str, Any]] = []
        """One entry per finished epoch."""
        self.stopped = ""
        """Why the training ended before its last epoch; empty where it did not."""

    def run(self) -> nn.Module:
        """Train, from the latest checkpoint where there is one.

        Returns:
            The network to keep: the last or the best epoch's, averaged where `ema_decay` is set.

        Raises:
            DivergenceError: the loss became infinite or no number.
        """
        checkpoint = self._restore()
        first = 0
        for config in stages_of(self._config.schedule):
            if len(self.history) < first + config.epochs and not self.stopped:
                self._run_stage(config, first, checkpoint)
                checkpoint = None
            first += config.epochs
        network = self._average.network if self._average else self._network
        if self._config.schedule.keep == "best":
            best = self._partial.load(BEST)
            assert best is not None
            network.load_state_dict(best["network"])
        return network.requires_grad_(False).eval()

    def _run_stage(self, config: StageConfig, first: int, checkpoint: dict[str, Any] | None) -> None:
        schedule = self._config.schedule
        set_trainable(self._network, config.trainable, schedule.frozen_batch_norm)
        plain = build_optimiser(self._network, schedule)
        if checkpoint is not None and len(self.history) > first:
            plain.load_state_dict(checkpoint["optimiser"])
        else:
            self._progress.enter_stage()
        model, optimiser = self._fabric.setup(self._network, plain)
        steps = math.ceil(self._feed.batches / schedule.accumulate)
        stage = _Stage(config, first, model, optimiser, stage_rates(schedule, config, steps))
        for epoch in range(len(self.history), first + config.epochs):
            self._run_epoch(stage, epoch)
            if self.stopped:
                log.info("stopped after epoch %d: %s", epoch + 1, self.stopped)
                return

    def _run_epoch(self, stage: _Stage, epoch: int) -> None:
        started = time.monotonic()
        torch.manual_seed(_seed(self._config.schedule.seed, epoch, self._fabric.global_rank))
        loss, rate = self._train(stage, epoch)
        network = self._average.network if self._average else self._network
        figures = validation_figures(
            self._fabric, network, self._feed.validation(), len(self._feed.counts), self._layout
        )
        self._seconds += time.monotonic() - started
        entry = {"epoch": epoch + 1, "learning_rate": rate, "seconds": self._seconds, "train_loss": loss, **figures}
        self.history.append(entry)
        if self._progress.better(epoch + 1, figures) and self._config.schedule.keep == "best":
            self._save(BEST, {"network": network.state_dict()})
        self._stop_where_due()
        self._save(CHECKPOINT, self._state(stage))
        if self._fabric.global_rank == 0:
            log.info("epoch %d, %.0f s: %s", epoch + 1, self._seconds, said(entry))
            for logger in self._loggers:
                logger.log_metrics({name: value for name, value in entry.items() if name != "epoch"}, step=epoch + 1)
        if self._on_epoch is not None:
            self._on_epoch(epoch + 1, figures)

    def _train(self, stage: _Stage, epoch: int) -> tuple[float, float]:
        """One epoch; the mean loss over all devices, and the last rate."""
        schedule = self._config.schedule
        unmixed = epoch >= schedule.epochs - self._config.augmentation.clean_epochs
        train_mode(self._network)
        total, count, rate = torch.zeros((), device=self._fabric.device), 0, 0.0
        step = (epoch - stage.first) * math.ceil(self._feed.batches / schedule.accumulate)
        batches = self._feed.training(epoch, unmixed)
        for index, (photos, targets) in enumerate(self._shown(batches, epoch)):
            rate = stage.rates.at(step) * self._progress.factor
            for group in stage.optimiser.param_groups:
                group["lr"] = rate * group["lr_scale"]
            photos, targets = self._fabric.to_device((photos, targets))
            if self._mix is not None and not unmixed:
                photos, targets = self._mix(photos, targets)
            place = index % schedule.accumulate
            together = min(schedule.accumulate, self._feed.batches - index + place)  # fewer at an epoch's end
            stepping = place + 1 == together
            with self._fabric.no_backward_sync(stage.model, enabled=not stepping):  # type: ignore[arg-type]
                logits = stage.model(photos.contiguous(memory_format=self._layout))
                loss = self._loss(logits.float(), targets)
                self._fabric.backward(loss / together)
            total += loss.detach() * len(photos)
            count += len(photos)
            if stepping:
                self._step(stage)
                step += 1
        mean = float(cast(Tensor, self._fabric.all_reduce(total / count, reduce_op="mean")))
        if not math.isfinite(mean):
            raise DivergenceError(
                f"The loss became {mean} in epoch {epoch + 1}: lower schedule.learning_rate, set schedule.gradient_clip, "
                "or use hardware.precision bf16-mixed instead of 16-mixed."
            )
        return mean, rate

    def _step(self, stage: _Stage) -> None:
        if self._config.schedule.gradient_clip:
            self._fabric.clip_gradients(
                stage.model,
                stage.optimiser,
                max_norm=self._config.schedule.gradient_clip,
                error_if_nonfinite=False,  # float16's scaler skips such steps by itself
            )
        stage.optimiser.step()
        stage.optimiser.zero_grad()
        if self._average is not None:
            self._average.update(self._network)

    def _shown(self, batches: DataLoader[Any], epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        quiet = None if self._fabric.global_rank == 0 else True
        yield from tqdm(
            batches, f"Epoch {epoch + 1}/{self._config.schedule.epochs}", leave=False, disable=quiet, file=sys.stderr
        )

    def _stop_where_due(self) -> None:
        limit = 60 * self._config.schedule.max_minutes
        if self._progress.stalled(len(self.history)):
            self.stopped = f"no progress for {self._config.schedule.early_stopping} epochs"
        elif limit and self._seconds >= limit and len(self.history) < self._config.schedule.epochs:
            self.stopped = f"the limit of {self._config.schedule.max_minutes:g} minutes"
        self.stopped = self._fabric.broadcast(self.stopped)  # clocks differ

    def _state(self, stage: _Stage) -> dict[str, Any]:
        return {
            "network": self._network.state_dict(),
            "average": self._average.network.state_dict() if self._average else None,
            "average_steps": self._average.steps if self._average else 0,
            "optimiser": stage.optimiser.state_dict(),
            "precision": self._fabric.strategy.precision.state_dict(),
            "progress": self._progress.state,
            "history": self.history,
            "seconds": self._seconds,
            "stopped": self.stopped,
        }

    def _restore(self) -> dict[str, Any] | None:
        checkpoint = self._partial.load(CHECKPOINT)
        if checkpoint is None:
            return None
        self._network.load_state_dict(checkpoint["network"])
        if self._average is not None:
            self._average.network.load_state_dict(checkpoint["average"])
            self._average.steps = checkpoint["average_steps"]
        # The scale of float16's gradients outlives stages, whose optimisers do not.
        self._fabric.strategy.precision.load_state_dict(checkpoint["precision"])
        self._progress.restore(checkpoint["progress"])
        self.history, self._seconds = checkpoint["history"], checkpoint["seconds"]
        self.stopped = checkpoint["stopped"]
        log.info("resumed after epoch %d of %d", len(self.history), self._config.schedule.epochs)
        return checkpoint

    def _save(self, name: str, content: dict[str, Any]) -> None:
        if self._fabric.global_rank == 0:
            self._partial.save(name, content)
        self._fabric.barrier()


def _seed(seed: int, epoch: int, rank: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {epoch} {rank}".encode()).digest()[:7], "big")
