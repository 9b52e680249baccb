"""Rates, plateaus, stopping, and which part of a network learns."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import timm
import torch
from lightning.fabric import Fabric

from training.config.schedule import ScheduleConfig, StageConfig
from training.errors import ConfigurationError
from training.learning.averaging import WeightAverage
from training.learning.layers import build_optimiser, set_trainable, train_mode
from training.learning.schedules import Progress, stage_rates
from training.learning.watching import validation_figures


def rates(stage: StageConfig | None = None, **fields: Any) -> list[float]:
    config = ScheduleConfig(**{"epochs": 4, "learning_rate": 1.0, "warmup_epochs": 1.0, **fields})
    found = stage_rates(config, stage or StageConfig(epochs=4), 10)
    return [found.at(step) for step in range(found.steps)]


def test_warm_up_then_half_a_cosine() -> None:
    found = rates()
    assert found[:10] == pytest.approx([(step + 1) / 11 for step in range(10)])
    assert found[10] == 1.0
    assert found[25] == pytest.approx(0.5)
    assert 0 < found[-1] < 0.01
    assert found[10:] == sorted(found[10:], reverse=True)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_short_stage_is_not_all_warm_up(epochs: int) -> None:
    found = rates(StageConfig(epochs=epochs), warmup_epochs=3.0)
    assert found[: 5 * epochs] == sorted(found[: 5 * epochs])
    assert found[5 * epochs] == 1.0
    assert found[-1] < 0.1


def test_a_stage_has_its_own_peak_and_constant_stays() -> None:
    assert max(rates(StageConfig(epochs=2, learning_rate=0.3))) == pytest.approx(0.3)
    assert set(rates(decay="constant", warmup_epochs=0.0)) == {1.0}


def test_stages_say_how_many_epochs_there_are() -> None:
    stages: Any = [{"epochs": 2, "trainable": "head"}, {"epochs": 3}]
    assert ScheduleConfig(stages=stages).epochs == 5
    with pytest.raises(ValueError, match="the stages have 5"):
        ScheduleConfig(epochs=99, stages=stages)


def test_plateau_lowers_the_rate_and_early_stopping_ends_it() -> None:
    config = ScheduleConfig(decay="plateau", plateau_factor=0.1, plateau_patience=1, early_stopping=5)
    progress = Progress(config)
    assert progress.better(1, {"validation_loss": 1.0})
    assert not progress.better(2, {"validation_loss": 1.0})
    assert progress.factor == 1.0
    assert not progress.better(3, {"validation_loss": 1.1})
    assert progress.factor == pytest.approx(0.1)
    again = Progress(config)
    again.restore(progress.state)
    for epoch in (4, 5):
        again.better(epoch, {"validation_loss": 2.0})
        assert not again.stalled(9)
    again.better(6, {"validation_loss": 2.0})
    assert again.stalled(9)
    assert again.factor == pytest.approx(0.01)
    assert again.best_epoch == 1


def test_f1_is_better_when_higher() -> None:
    progress = Progress(ScheduleConfig(monitor="validation_f1_macro"))
    assert [progress.better(epoch, {"validation_f1_macro": value}) for epoch, value in enumerate((0.2, 0.3, 0.1))] == [
        True,
        True,
        False,
    ]


def learning(network: torch.nn.Module) -> set[str]:
    return {name for name, parameter in network.named_parameters() if parameter.requires_grad}


def test_head_last_blocks_and_all() -> None:
    network = timm.create_model("resnet18", num_classes=5)
    set_trainable(network, "head", frozen_batch_norm=False)
    assert learning(network) == {"fc.weight", "fc.bias"}
    set_trainable(network, 2, frozen_batch_norm=False)
    assert all(name.startswith(("layer4.", "fc.")) for name in learning(network))
    assert "layer4.0.conv1.weight" in learning(network)
    set_trainable(network, "all", frozen_batch_norm=True)
    assert "conv1.weight" in learning(network)
    assert not any("bn" in name for name in learning(network))
    with pytest.raises(ConfigurationError, match="9 blocks"):
        set_trainable(network, 40, frozen_batch_norm=False)


def test_a_batch_norm_that_does_not_learn_keeps_its_statistics() -> None:
    network = timm.create_model("resnet18", num_classes=5)
    set_trainable(network, 2, frozen_batch_norm=False)
    train_mode(network)
    before = {name: value.clone() for name, value in network.state_dict().items() if "running_mean" in name}
    network(torch.randn(4, 3, 32, 32))
    changed = {name for name, value in before.items() if not torch.equal(value, network.state_dict()[name])}
    assert changed
    assert all(name.startswith("layer4") for name in changed)


@pytest.mark.parametrize("optimiser", ["adamw", "sgd", "muon"])
def test_layer_decay_slows_the_lower_layers(optimiser: str) -> None:
    network = timm.create_model("vit_tiny_patch16_224", num_classes=5, img_size=32, depth=3)
    built = build_optimiser(network, ScheduleConfig(layer_decay=0.5, optimiser=optimiser))  # type: ignore[arg-type]
    scale = {id(weight): group["lr_scale"] for group in built.param_groups for weight in group["params"]}
    decay = {id(weight): group["weight_decay"] for group in built.param_groups for weight in group["params"]}
    assert scale[id(network.head.weight)] == 1.0
    assert scale[id(network.blocks[2].attn.qkv.weight)] == pytest.approx(0.5)
    assert scale[id(network.blocks[0].attn.qkv.weight)] == pytest.approx(0.125)
    assert scale[id(network.patch_embed.proj.weight)] == pytest.approx(0.0625)
    assert (decay[id(network.pos_embed)], decay[id(network.head.bias)]) == (0, 0)


def test_the_average_follows_weights_and_statistics() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    average = WeightAverage(network, 0.5)
    with torch.no_grad():
        network[0].weight.fill_(1.0)
        network[1].running_mean.fill_(4.0)  # type: ignore[union-attr, operator]
    average.update(network)
    assert torch.equal(average.network[0].weight, torch.ones(2, 2))
    with torch.no_grad():
        network[0].weight.fill_(3.0)
        network[1].running_mean.fill_(8.0)  # type: ignore[union-attr, operator]
        network[1].num_batches_tracked.fill_(7)  # type: ignore[union-attr, operator]
    average.update(network)
    assert torch.equal(average.network[0].weight, torch.full((2, 2), 2.0))
    assert torch.equal(average.network[1].running_mean, torch.full((2,), 6.0))
    assert average.network[1].num_batches_tracked == 7


def test_early_stopping_never_cuts_an_earlier_stage_short() -> None:
    progress = Progress(ScheduleConfig(stages=[{"epochs": 3, "trainable": "head"}, {"epochs": 4}], early_stopping=2))
    for epoch in (1, 2, 3):
        progress.better(epoch, {"validation_loss": 1.0})
    assert not progress.stalled(3)
    progress.enter_stage()
    for epoch in (4, 5):
        progress.better(epoch, {"validation_loss": 1.0})
    assert progress.stalled(5)


def test_no_number_is_never_the_best() -> None:
    progress = Progress(ScheduleConfig())
    progress.better(1, {"validation_loss": float("nan")})
    assert progress.better(2, {"validation_loss": 5.0})
    assert not progress.better(3, {"validation_loss": float("nan")})
    assert progress.best_epoch == 2


def test_figures_are_of_the_weights_as_they_are_now() -> None:
    """TinyViT keeps its attention biases from one evaluation to the next."""
    small: dict[str, Any] = {"embed_dims": [8, 8, 16, 16], "depths": [1] * 4, "num_heads": [1] * 4}
    network = timm.create_model("tiny_vit_5m_224", num_classes=2, **small)
    average = WeightAverage(network, 0.0)
    batch, fabric = [(torch.randn(2, 3, 224, 224), torch.tensor([0, 1]))], Fabric(accelerator="cpu", devices=1)

    def loss(network: torch.nn.Module) -> float:
        return validation_figures(fabric, network, batch, 2, torch.contiguous_format)["validation_loss"]

    loss(average.network)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "attention_biases" in name:
                weight.normal_(std=9)
    average.update(network)
    assert loss(average.network) == pytest.approx(loss(copy.deepcopy(network)), abs=1e-7)
