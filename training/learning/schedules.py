"""The learning rate at each step, and what counts as progress from epoch to epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from training.config.schedule import ScheduleConfig, StageConfig


def stages_of(config: ScheduleConfig) -> list[StageConfig]:
    """The stages of a run; without any, one in which all of the network learns."""
    return config.stages or [StageConfig(epochs=config.epochs)]


@dataclass(frozen=True)
class StageRates:
    """Rates of one stage: linear warm-up, then half a cosine to zero (Loshchilov & Hutter 2017) or constant."""

    peak: float
    warmup: int
    """Steps."""
    steps: int
    cosine: bool

    def at(self, step: int) -> float:
        """Rate of a step, counted from 0 within the stage."""
        if step < self.warmup:
            return self.peak * (step + 1) / (self.warmup + 1)
        if not self.cosine:
            return self.peak
        return self.peak * 0.5 * (1 + math.cos(math.pi * (step - self.warmup) / max(1, self.steps - self.warmup)))


def stage_rates(config: ScheduleConfig, stage: StageConfig, steps_per_epoch: int) -> StageRates:
    """Rates of a stage of `stage.epochs * steps_per_epoch` steps; half of them at least lie behind the warm-up."""
    steps = stage.epochs * steps_per_epoch
    warmup = min(steps // 2, round(config.warmup_epochs * steps_per_epoch))
    return StageRates(stage.learning_rate or config.learning_rate, warmup, steps, config.decay == "cosine")


@dataclass
class Progress:
    """Watches one figure: which epoch was best, when the rate falls, when to stop. `state` goes into checkpoints."""

    config: ScheduleConfig
    best: float | None = None
    best_epoch: int = 0
    factor: float = 1.0
    """Of the rate, lowered on plateaus."""
    waiting: dict[str, int] = field(default_factory=lambda: {"plateau": 0, "stop": 0})
    """Epochs without progress since the last fall, and since the best."""

    def enter_stage(self) -> None:
        """Forget the falls and the waiting: what learns is another part."""
        self.factor = 1.0
        self.waiting = {"plateau": 0, "stop": 0}

    def better(self, epoch: int, figures: dict[str, float]) -> bool:
        """Take in an epoch's figures; whether it is the best so far."""
        value = figures[self.config.monitor]
        lower = self.config.monitor == "validation_loss"
        if self.best is None or math.isnan(self.best) or (value < self.best if lower else value > self.best):
            self.best, self.best_epoch = value, epoch
            self.waiting = {"plateau": 0, "stop": 0}
            return True
        self.waiting = {name: count + 1 for name, count in self.waiting.items()}
        if self.config.decay == "plateau" and self.waiting["plateau"] > self.config.plateau_patience:
            self.factor *= self.config.plateau_factor
            self.waiting["plateau"] = 0
        return False

    def stalled(self, epoch: int) -> bool:
        """Whether early stopping says to stop after an epoch, from 1; a stage before the last one is never cut short."""
        earlier = sum(stage.epochs for stage in stages_of(self.config)[:-1])
        return epoch > earlier and 0 < self.config.early_stopping <= self.waiting["stop"]

    @property
    def state(self) -> dict[str, Any]:
        """What `restore` takes."""
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "factor": self.factor,
            "waiting": dict(self.waiting),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        for name, value in state.items():
            setattr(self, name, value)
