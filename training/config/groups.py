"""Typed configuration of one training run: four groups, every field documented, unknown keys refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.errors import ConfigurationError

PRESETS = Path(__file__).parents[1] / "presets"

Channels = tuple[float, float, float]
Range = tuple[float, float]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatasetConfig(_Group):
    """Which task the photos belong to and how they are divided."""

    task: str = Field(default="cassava", description="task name in training/tasks, or the path of a task JSON file")
    origin: str = Field(default="not stated", description="where the photos come from, copied into report.json")
    licence: str = Field(default="not stated", description="licence of the photos, copied into report.json")
    validation_fraction: float = Field(default=0.1, gt=0, lt=0.5, description="share of all photos, 0-0.5")
    test_fraction: float = Field(default=0.2, gt=0, lt=0.5, description="share of all photos, 0-0.5")
    split_seed: int = Field(default=0, description="seed of the split; members of one release must share it")
    duplicate_distance: int = Field(
        default=4,
        ge=0,
        le=32,
        description="photos whose 64-bit perceptual hashes differ in at most this many bits stay together",
    )
    cache_size: int = Field(
        default=256,
        ge=32,
        description="shorter side, pixels, of the training photos in memory; evaluation never uses it",
    )


class ModelConfig(_Group):
    """Architecture and what it expects of a photo; all of it is written to config.json for timm to read."""

    architecture: str = Field(default="efficientnet_b4", description="any timm architecture")
    arguments: dict[str, Any] = Field(default={}, description="extra arguments of timm.create_model, as JSON")
    pretrained: bool = Field(
        default=False, description="start from timm's pretrained weights (needs the network or a cache)"
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


class AugmentationConfig(_Group):
    """Random changes of the training photos. The evaluation transform is timm's and not configurable here."""

    crop_size: int = Field(
        default=0,
        ge=0,
        description="side of the training crops, pixels; 0: model.input_size. Smaller crops train faster and, as "
        "random crops magnify, can evaluate better at the larger size (Touvron et al. 2019)",
    )
    crop_scale: Range = Field(default=(0.25, 1.0), description="area of the random crop, share of the photo")
    crop_ratio: Range = Field(default=(0.75, 1.3333), description="width / height of the random crop")
    flip: float = Field(
        default=0.5, ge=0, le=1, description="probability of a horizontal and, apart from it, a vertical flip"
    )
    quarter_turns: bool = Field(default=True, description="turn by a random multiple of 90 degrees")
    brightness: float = Field(default=0.3, ge=0, description="largest relative change of brightness")
    contrast: float = Field(default=0.3, ge=0, description="largest relative change of contrast")
    saturation: float = Field(default=0.3, ge=0, description="largest relative change of saturation")
    hue: float = Field(default=0.02, ge=0, le=0.5, description="largest change of hue, in turns of the colour circle")
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
    clean_epochs: int = Field(default=5, ge=0, description="last epochs without MixUp, CutMix and erasing")


class OptimisationConfig(_Group):
    """How the weights are found."""

    epochs: int = Field(default=30, ge=1, description="passes over the training photos")
    batch_size: int = Field(default=32, ge=2, description="photos per step")
    learning_rate: float = Field(default=1e-3, gt=0, description="peak of AdamW's learning rate")
    weight_decay: float = Field(default=0.05, ge=0, description="AdamW's decoupled decay; biases and norms are exempt")
    warmup_epochs: float = Field(default=3.0, ge=0, description="epochs of linear warm-up before the cosine")
    label_smoothing: float = Field(default=0.1, ge=0, lt=1, description="share of the target spread over all classes")
    balance: Literal["none", "sampler", "loss"] = Field(
        default="sampler", description="draw or weigh rare classes more"
    )
    balance_power: float = Field(
        default=0.5, ge=0, le=1, description="weight = (1 / class count) ** power; 1 is full balance"
    )
    ema_decay: float = Field(
        default=0.99, ge=0, lt=1, description="decay per step of the weights' moving average; 0: off"
    )
    gradient_clip: float = Field(default=1.0, ge=0, description="largest gradient norm; 0 switches clipping off")
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = Field(
        default="32-true", description="Lightning precision"
    )
    channels_last: bool = Field(
        default=False, description="keep tensors channels-last: faster for most convolutions, refused by some networks"
    )
    accelerator: Literal["cpu", "gpu", "auto"] = Field(default="auto", description="Lightning accelerator")
    threads: int = Field(default=0, ge=0, description="CPU threads; 0 keeps torch's choice")
    seed: int = Field(default=0, description="seed of initial weights, sampling and augmentation")


class TrainingConfig(BaseModel):
    """One training run."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    dataset: DatasetConfig = Field(default=DatasetConfig(), description="task and split")
    model: ModelConfig = Field(default=ModelConfig(), description="architecture and input")
    augmentation: AugmentationConfig = Field(
        default=AugmentationConfig(), description="random changes of training photos"
    )
    optimisation: OptimisationConfig = Field(default=OptimisationConfig(), description="how the weights are found")

    @model_validator(mode="after")
    def _fractions_leave_training_photos(self) -> TrainingConfig:
        if self.dataset.validation_fraction + self.dataset.test_fraction >= 0.8:
            raise ValueError("dataset.validation_fraction + dataset.test_fraction must stay below 0.8")
        return self


def load_preset(name_or_path: str) -> dict[str, Any]:
    """Read a preset by name (`training/presets/NAME.yaml`) or by path.

    Raises:
        ConfigurationError: no such preset, not YAML, or not a mapping of groups.
    """
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = PRESETS / f"{name_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(preset.stem for preset in PRESETS.glob("*.yaml")))
        raise ConfigurationError(f"No preset {name_or_path!r}: give one of {known}, or the path of a .yaml file.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path} must be a mapping with the groups {', '.join(TrainingConfig.model_fields)}.")
    return values
