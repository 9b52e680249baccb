"""The groups `hardware`, `evaluation`, `tracking`, `gate` and `search`: the run and what follows it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Group(BaseModel):
    """Base of all groups: frozen, and strict about names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HardwareConfig(Group):
    """Where the training runs; several devices of one machine need nothing but these fields (Lightning's DDP)."""

    accelerator: Literal["cpu", "gpu", "auto"] = Field(default="auto", description="Lightning accelerator")
    devices: int = Field(default=1, ge=-1, description="devices of this machine, number; -1: all")
    num_nodes: int = Field(
        default=1, ge=1, description="machines, number; torchrun on each, with --out in a folder that all of them see"
    )
    strategy: Literal["auto", "ddp", "ddp_find_unused_parameters_true"] = Field(
        default="auto", description="Lightning strategy; networks are copied to each device, never divided"
    )
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = Field(
        default="32-true", description="Lightning precision"
    )
    channels_last: bool = Field(
        default=False, description="keep tensors channels-last: faster for most convolutions, refused by some networks"
    )
    threads: int = Field(default=0, ge=0, description="CPU threads; 0 keeps torch's choice")


class EvaluationConfig(Group):
    """What is measured and shown after the training."""

    views: int = Field(
        default=1, description="1, or 8: flips and quarter turns of each photo averaged, reported apart from the plain"
    )
    worst: int = Field(default=24, ge=0, description="surest mistakes that the page shows, number")
    attributions: int = Field(default=8, ge=0, description="photos with Grad-CAM on the page, number")
    page: bool = Field(default=True, description="write evaluation.html")

    @field_validator("views")
    @classmethod
    def _one_or_eight(cls, value: int) -> int:
        if value not in {1, 8}:
            raise ValueError("write 1 or 8")
        return value


class TrackingConfig(Group):
    """Where the run is recorded."""

    mlflow: str = Field(
        default="", description="MLflow tracking URI; empty: the file build/mlflow/mlflow.db; off: nowhere"
    )
    experiment: str = Field(default="", description="MLflow experiment; empty: the task's name")
    registry: bool = Field(default=True, description="register the member as <task>-<member>, alias candidate")
    tensorboard: bool = Field(default=False, description="write TensorBoard's event files below build/tensorboard")
    wandb: Literal["off", "offline", "online"] = Field(default="off", description="record with Weights & Biases")


class GateConfig(Group):
    """What the test photos must say before the alias champion moves; all shares 0-1."""

    accuracy_micro: float = Field(default=0.80, ge=0, le=1, description="least accuracy (micro)")
    f1_macro: float = Field(default=0.80, ge=0, le=1, description="least F1 (macro)")
    recall_floor: float = Field(default=0.5, ge=0, le=1, description="least recall of each class")
    ece: float = Field(default=0.10, ge=0, le=1, description="largest expected calibration error (15 bins, l1)")
    champion_margin: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="how far F1 (macro) may lie below the champion's, beyond the 95 % paired bootstrap interval",
    )


class SearchConfig(Group):
    """Hyper-parameter search."""

    trials: int = Field(default=20, ge=1, description="runs, number")
    epochs: int = Field(default=0, ge=0, description="epochs of each run; 0: schedule.epochs")
    metric: Literal["validation_loss", "validation_f1_macro", "validation_accuracy_micro"] = Field(
        default="validation_f1_macro", description="what the best run is best in"
    )
    sampler_seed: int = Field(default=0, ge=0, description="seed of the proposals")
    space: dict[str, dict[Literal["log", "range", "integer", "choice"], list[Any]]] = Field(
        default={"schedule.learning_rate": {"log": [1e-4, 1e-2]}},
        description="fields to vary, as JSON: log, range or integer with [low, high], or choice with its values",
    )

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Whether less of `metric` is better."""
        return "minimize" if self.metric == "validation_loss" else "maximize"

    @field_validator("space")
    @classmethod
    def _one_range_per_field(cls, value: dict[str, dict[str, list[Any]]]) -> dict[str, dict[str, list[Any]]]:
        for field, how in value.items():
            if len(how) != 1:
                raise ValueError(f"{field}: give one of log, range, integer, choice")
            kind, values = next(iter(how.items()))
            if kind != "choice" and not (len(values) == 2 and values[0] < values[1]):
                raise ValueError(f"{field}: write {kind}: [low, high]")
            if not values:
                raise ValueError(f"{field}: choice needs values")
        return value
