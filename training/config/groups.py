"""Typed configuration of one training run: ten groups of documented fields, unknown keys refused.

What is learned from what stands here; `loss` and `schedule` in `training.config.schedule`, the run and what follows it
in `training.config.running`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from training.config.running import (
    EvaluationConfig,
    GateConfig,
    Group,
    HardwareConfig,
    SearchConfig,
    TrackingConfig,
)
from training.config.schedule import LossConfig, ScheduleConfig

Channels = tuple[float, float, float]
Range = tuple[float, float]


class DatasetConfig(Group):
    """Which task the photos belong to, how they lie on disk and how they are divided."""

    task: str = Field(
        default="cassava",
        description="task name in training/tasks, the path of a task JSON file, or auto: one class per folder",
    )
    layout: Literal["auto", "kaggle", "folders"] = Field(
        default="auto", description="kaggle: train.csv and train_images/; folders: one folder per class"
    )
    train_subfolder: str = Field(default="", description="folder below --data that holds the photos to train with")
    test_subfolder: str = Field(
        default="", description="folder below --data whose photos are the test set and take part in nothing else"
    )
    origin: str = Field(default="not stated", description="where the photos come from, copied into report.json")
    licence: str = Field(default="not stated", description="licence of the photos, copied into report.json")
    validation_fraction: float = Field(default=0.1, gt=0, lt=0.5, description="share of all photos, 0-0.5")
    test_fraction: float = Field(
        default=0.2, ge=0, lt=0.5, description="share of all photos, 0-0.5; 0 only with test_subfolder or in folds"
    )
    split_seed: int = Field(default=0, description="seed of the split; members of one release must share it")
    folds: int = Field(default=5, ge=2, description="folds of the cross-validation, number")
    split_file: str = Field(default="", description="CSV of an earlier run's split to use again; empty: make one")
    group_pattern: str = Field(
        default="",
        description="regular expression; photos whose ids give the same match (its first group, if it has one) stay in "
        "one part, such as one plant's",
    )
    duplicate_distance: int = Field(
        default=4,
        ge=0,
        le=32,
        description="photos whose 64-bit perceptual hashes differ in at most this many bits stay together",
    )
    problems: Literal["stop", "skip"] = Field(
        default="stop", description="what unusable files or rows do: stop the run, or leave themselves out"
    )
    limit: int = Field(default=0, ge=0, description="photos per class that are read at all, number; 0: every one")
    cache: Literal["memory", "disk", "auto"] = Field(
        default="auto", description="training photos decoded once into memory, or from disk at each use"
    )
    cache_size: int = Field(
        default=256,
        ge=32,
        description="shorter side, pixels, of the training photos in memory; evaluation never uses it",
    )
    workers: int = Field(default=0, ge=0, description="processes that prepare training photos; 0: the training's own")


class ModelConfig(Group):
    """Architecture and what it expects of a photo; all of it is written to config.json for timm to read."""

    name: str = Field(default="", pattern=r"^[A-Za-z0-9_]*$", description="member's name; empty: the architecture's")
    architecture: str = Field(default="efficientnet_b4", description="any architecture of timm or architectures/")
    arguments: dict[str, Any] = Field(default={}, description="extra arguments of timm.create_model, as JSON")
    pretrained: bool = Field(
        default=False, description="start from timm's pretrained weights (needs the network or a cache)"
    )
    pretrained_file: str = Field(
        default="", description="start from this .safetensors or .pth file instead, without the network"
    )
    dropout: float | None = Field(default=None, ge=0, lt=1, description="dropout before the head; null: timm's own")
    drop_path: float | None = Field(
        default=None, ge=0, lt=1, description="stochastic depth (Huang et al. 2016); null: timm's own"
    )
    input_size: int = Field(default=224, ge=16, description="side of the square input, pixels")
    mean: Channels = Field(default=(0.485, 0.456, 0.406), description="per-channel mean of the 0-1 scaled photo")
    std: Channels = Field(
        default=(0.229, 0.224, 0.225), description="per-channel standard deviation of the 0-1 scaled photo"
    )
    interpolation: Literal["bilinear", "bicubic"] = Field(default="bicubic", description="resize filter at evaluation")
    crop_pct: float = Field(default=1.0, gt=0, le=1, description="input_size / resized shorter side, 0-1")
    crop_mode: Literal["center", "squash", "border"] = Field(
        default="center", description="timm's crop mode at evaluation"
    )
    weights: Literal["float32", "float16"] = Field(
        default="float32", description="stored precision; metrics are computed from the rounded weights"
    )


class AugmentationConfig(Group):
    """Random changes of the training photos. The evaluation transform is timm's and not configurable here."""

    crop_size: int = Field(
        default=0,
        ge=0,
        description="side of the training crops, pixels; 0: model.input_size. Smaller crops train faster and, as "
        "random crops magnify, can evaluate better at the larger size (Touvron et al. 2019)",
    )
    progressive: list[int] = Field(
        default=[],
        description="sides of the training crops, pixels, each for an equal part of the epochs, such as [96, 128, 160]: small "
        "crops first cost less and regularise (Tan & Le 2021); empty: crop_size throughout",
    )
    crop_scale: Range = Field(default=(0.25, 1.0), description="area of the random crop, share of the photo")
    crop_ratio: Range = Field(default=(0.75, 1.3333), description="width / height of the random crop")
    flip: float = Field(
        default=0.5, ge=0, le=1, description="probability of a horizontal and, apart from it, a vertical flip"
    )
    quarter_turns: bool = Field(default=True, description="turn by a random multiple of 90 degrees")
    rotation: float = Field(default=0.0, ge=0, le=180, description="largest turn either way, degrees")
    shift: float = Field(default=0.0, ge=0, lt=1, description="largest shift, share of the side")
    zoom: float = Field(default=0.0, ge=0, lt=1, description="largest relative change of scale")
    brightness: float = Field(default=0.3, ge=0, description="largest relative change of brightness")
    contrast: float = Field(default=0.3, ge=0, description="largest relative change of contrast")
    saturation: float = Field(default=0.3, ge=0, description="largest relative change of saturation")
    hue: float = Field(default=0.02, ge=0, le=0.5, description="largest change of hue, in turns of the colour circle")
    blur: float = Field(default=0.0, ge=0, le=1, description="probability of Gaussian blur, up to 1/100 of the side")
    noise: float = Field(default=0.0, ge=0, le=1, description="probability of Gaussian noise, up to 15 of 255 levels")
    jpeg: float = Field(default=0.0, ge=0, le=1, description="probability of JPEG compression, quality 30 to 90")
    shadow: float = Field(default=0.0, ge=0, le=1, description="probability of a shadow with a straight edge")
    erasing: float = Field(
        default=0.2, ge=0, le=1, description="probability of erasing a random rectangle (Zhong et al. 2017)"
    )
    mixup_alpha: float = Field(
        default=0.2, ge=0, description="Beta parameter of MixUp (Zhang et al. 2018); 0 switches it off"
    )
    cutmix_alpha: float = Field(
        default=1.0, ge=0, description="Beta parameter of CutMix (Yun et al. 2019); 0 switches it off"
    )
    mix_probability: float = Field(default=0.5, ge=0, le=1, description="probability that a batch is mixed at all")
    clean_epochs: int = Field(
        default=5, ge=0, description="last epochs without MixUp, CutMix and erasing; fewer than schedule.epochs"
    )

    @property
    def switched_off_at_the_end(self) -> bool:
        """Whether there is anything that the clean epochs do without."""
        return self.erasing > 0 or (self.mix_probability > 0 and (self.mixup_alpha > 0 or self.cutmix_alpha > 0))

    @field_validator("crop_scale", "crop_ratio")
    @classmethod
    def _ordered(cls, value: Range) -> Range:
        if not 0 < value[0] <= value[1]:
            raise ValueError("write two positive numbers, the smaller first")
        return value


class TrainingConfig(BaseModel):
    """One training run."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    dataset: DatasetConfig = Field(default=DatasetConfig(), description="task, files and split")
    model: ModelConfig = Field(default=ModelConfig(), description="architecture and input")
    augmentation: AugmentationConfig = Field(
        default=AugmentationConfig(), description="random changes of training photos"
    )
    loss: LossConfig = Field(default=LossConfig(), description="what is minimised")
    schedule: ScheduleConfig = Field(
        default=ScheduleConfig(), description="how the weights are found, and when to stop"
    )
    hardware: HardwareConfig = Field(default=HardwareConfig(), description="where it runs, in which precision")
    evaluation: EvaluationConfig = Field(default=EvaluationConfig(), description="what is measured and shown")
    tracking: TrackingConfig = Field(default=TrackingConfig(), description="where the run is recorded")
    gate: GateConfig = Field(default=GateConfig(), description="what a member must reach to become champion")
    search: SearchConfig = Field(default=SearchConfig(), description="hyper-parameter search")

    @property
    def member(self) -> str:
        """The member's name, which is also the folder's: `model.name`, or the architecture without its weights' tag."""
        return self.model.name or self.model.architecture.rpartition("/")[2].partition(".")[0]

    @model_validator(mode="after")
    def _fits_together(self) -> TrainingConfig:
        if self.dataset.validation_fraction + self.dataset.test_fraction >= 0.8:
            raise ValueError("dataset.validation_fraction + dataset.test_fraction must stay below 0.8")
        if self.model.pretrained and self.model.pretrained_file:
            raise ValueError("model.pretrained and model.pretrained_file exclude each other: drop one")
        clean, epochs = self.augmentation.clean_epochs, self.schedule.epochs
        if clean >= epochs and self.augmentation.switched_off_at_the_end:
            raise ValueError(
                f"augmentation.clean_epochs is {clean} and there are {epochs} epochs, so that no photo would ever be mixed or "
                f"erased: give --augmentation.clean_epochs {epochs // 5}, or mix_probability 0 and erasing 0"
            )
        return self
