"""The groups `loss` and `schedule`: what is minimised, how, and when it ends."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from training.config.running import Group


class LossConfig(Group):
    """What is minimised, and how rare classes are heard."""

    name: Literal["cross_entropy", "bi_tempered", "focal"] = Field(
        default="cross_entropy",
        description="bi_tempered (Amid et al. 2019) bears wrong labels, focal (Lin et al. 2017) dwells on hard photos",
    )
    label_smoothing: float = Field(default=0.1, ge=0, lt=1, description="share of the target spread over all classes")
    t1: float = Field(default=0.8, ge=0, le=1, description="bi_tempered: temperature of the logarithm; 1 is plain")
    t2: float = Field(default=1.4, ge=1, lt=3, description="bi_tempered: temperature of the exponential; 1 is plain")
    focal_gamma: float = Field(default=2.0, ge=0, description="focal: exponent of (1 - probability); 0 is plain")
    balance: Literal["none", "sampler", "loss"] = Field(
        default="sampler", description="draw or weigh rare classes more"
    )
    balance_power: float = Field(
        default=0.5, ge=0, le=1, description="weight = (1 / class count) ** power; 1 is full balance"
    )
    logit_adjustment: float = Field(
        default=0.0,
        ge=0,
        le=2,
        description="strength with which the logarithm of the class's share is added to logits in training, so that "
        "the network answers as if classes were balanced (Menon et al. 2021); 0: off",
    )


class StageConfig(Group):
    """Some epochs with a rate and a part of the network that learns."""

    epochs: int = Field(ge=1, description="passes over the training photos")
    learning_rate: float | None = Field(default=None, gt=0, description="peak rate; null: schedule.learning_rate")
    trainable: Literal["head", "all"] | int = Field(
        default="all", description="head, all, or the number of last blocks that learn together with the head"
    )


class ScheduleConfig(Group):
    """How the weights are found, and when to stop."""

    epochs: int = Field(default=30, ge=1, description="passes over the training photos; with stages, theirs together")
    batch_size: int = Field(default=32, ge=2, description="photos per step and device")
    accumulate: int = Field(default=1, ge=1, description="batches whose gradients are added up before a step")
    optimiser: Literal["adamw", "sgd", "muon"] = Field(
        default="adamw",
        description="AdamW (Loshchilov & Hutter 2019), SGD with Nesterov's momentum, or Muon (Jordan et al. 2024): steps "
        "with orthogonal matrices, which learns more per epoch from few photos",
    )
    learning_rate: float = Field(default=1e-3, gt=0, description="peak of the learning rate")
    weight_decay: float = Field(default=0.05, ge=0, description="weight decay; biases and norms are exempt")
    layer_decay: float = Field(
        default=1.0, gt=0, le=1, description="factor of the rate from each layer to the one before it; 1: off"
    )
    momentum: float | None = Field(
        default=None, ge=0, lt=1, description="of sgd and muon, first beta of adamw; null: 0.9, muon 0.95"
    )
    warmup_epochs: float = Field(
        default=3.0, ge=0, description="epochs of linear warm-up at the start of a stage; half of the stage at most"
    )
    decay: Literal["cosine", "plateau", "constant"] = Field(
        default="cosine", description="after the warm-up: half a cosine to zero, lower when progress stops, or neither"
    )
    plateau_factor: float = Field(default=0.3, gt=0, lt=1, description="plateau: factor of the rate at each fall")
    plateau_patience: int = Field(default=10, ge=0, description="plateau: epochs without progress before a fall")
    ema_decay: float = Field(
        default=0.99, ge=0, lt=1, description="decay per step of the weights' moving average; 0: off"
    )
    gradient_clip: float = Field(default=1.0, ge=0, description="largest gradient norm; 0 switches clipping off")
    frozen_batch_norm: bool = Field(
        default=False, description="keep statistics and weights of pretrained batch norms as they are"
    )
    stages: list[StageConfig] = Field(
        default=[], description="one after the other, as JSON; empty: all of the network for `epochs`"
    )
    early_stopping: int = Field(
        default=0, ge=0, description="epochs of the last stage without progress after which to stop; 0: never"
    )
    monitor: Literal["validation_loss", "validation_f1_macro"] = Field(
        default="validation_loss", description="figure that says whether there is progress"
    )
    keep: Literal["last", "best"] = Field(
        default="last", description="which epoch's weights are kept; best: by `monitor`, chosen on validation photos"
    )
    max_minutes: float = Field(
        default=0.0, ge=0, description="minutes of training after which the running epoch is the last; 0: no limit"
    )
    seed: int = Field(default=0, ge=0, description="seed of initial weights, sampling and augmentation")

    @property
    def chooses_epoch(self) -> bool:
        """Whether the validation photos decide which epoch's weights are kept."""
        return self.keep == "best" or self.early_stopping > 0

    @model_validator(mode="before")
    @classmethod
    def _epochs_of_the_stages(cls, values: object) -> object:
        if not isinstance(values, dict) or not isinstance(values.get("stages"), list) or not values["stages"]:
            return values
        given = [stage.get("epochs") if isinstance(stage, dict) else stage.epochs for stage in values["stages"]]
        numbers = [epochs for epochs in given if isinstance(epochs, int)]
        if len(numbers) < len(given):
            return values  # what is wrong with them is said by their own fields
        if str(values.get("epochs", sum(numbers))) != str(sum(numbers)):
            raise ValueError(
                f"epochs is {values['epochs']}, but the stages have {sum(numbers)}: change the stages, or drop them with "
                "--schedule.stages '[]'"
            )
        return values | {"epochs": sum(numbers)}
