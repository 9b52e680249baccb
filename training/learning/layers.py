"""Which part of a network learns, and at which fraction of the rate."""

from __future__ import annotations

from typing import Any

import torch
from timm.models import group_parameters
from timm.optim._param_groups import param_groups_layer_decay, param_groups_weight_decay
from timm.optim.muon import Muon
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from training.config.schedule import ScheduleConfig
from training.errors import ConfigurationError

MOMENTUM = {"adamw": 0.9, "sgd": 0.9, "muon": 0.95}


def set_trainable(network: nn.Module, trainable: str | int, frozen_batch_norm: bool) -> None:
    """Let the head, the head with the last blocks, or all of the network learn.

    Args:
        network: a timm network; its head is `get_classifier()`, its blocks are those of its `group_matcher`.
        trainable: head, all, or a number of last blocks.
        frozen_batch_norm: keep the weights of all batch norms before the head.

    Raises:
        ConfigurationError: the network has no such head, or fewer blocks.
    """
    head = _head(network)
    chosen = set(head)
    if trainable == "all":
        chosen |= {name for name, _ in network.named_parameters()}
    elif isinstance(trainable, int):
        blocks = [kept for names in _layers(network) if (kept := [name for name in names if name not in head])]
        if not 0 <= trainable <= len(blocks):
            raise ConfigurationError(f"schedule.stages: this architecture has {len(blocks)} blocks, not {trainable}.")
        chosen |= {name for names in blocks[len(blocks) - trainable :] for name in names}
    elif not head:
        raise ConfigurationError("schedule.stages: this architecture has no head of its own; use blocks or all.")
    if frozen_batch_norm:
        chosen -= {name for name in _batch_norm_parameters(network) if name not in head}
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in chosen)


def train_mode(network: nn.Module) -> None:
    """Training mode, in which a batch norm that does not learn keeps its statistics, too."""
    network.train()
    for module in network.modules():
        if isinstance(module, _BatchNorm) and not any(weight.requires_grad for weight in module.parameters()):
            module.eval()


def build_optimiser(network: nn.Module, config: ScheduleConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019), SGD with Nesterov's momentum or Muon (Jordan et al. 2024), over what learns.

    Each group has an `lr_scale`: with layer decay, `layer_decay` to the power of the layers above it (Clark et al. 2020).
    """
    exempt: Any = getattr(network, "no_weight_decay", tuple)()
    options: dict[str, Any] = {"weight_decay": config.weight_decay, "no_weight_decay_list": exempt}
    if config.layer_decay < 1:
        groups = param_groups_layer_decay(network, layer_decay=config.layer_decay, **options)
    else:
        groups = param_groups_weight_decay(network, **options)
    for group in groups:
        group.setdefault("lr_scale", 1.0)
    momentum = config.momentum if config.momentum is not None else MOMENTUM[config.optimiser]
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, config.learning_rate, momentum, nesterov=momentum > 0)
    if config.optimiser == "muon":  # vectors, which have no orthogonal form, get AdamW's steps
        return Muon(groups, config.learning_rate, momentum=momentum, nesterov=True, adjust_lr_fn="match_rms_adamw")
    return torch.optim.AdamW(groups, config.learning_rate, betas=(momentum, 0.999))


def _head(network: Any) -> set[str]:
    classifier = network.get_classifier()
    modules = classifier if isinstance(classifier, tuple) else (classifier,)
    own = {id(parameter) for module in modules for parameter in module.parameters()}
    return {name for name, parameter in network.named_parameters() if id(parameter) in own}


def _layers(network: Any) -> list[list[str]]:
    if not hasattr(network, "group_matcher"):
        raise ConfigurationError("schedule.stages: timm names no blocks of this architecture; use head or all.")
    return list(group_parameters(network, network.group_matcher(coarse=False)).values())


def _batch_norm_parameters(network: nn.Module) -> set[str]:
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in network.named_modules()
        if isinstance(module, _BatchNorm)
        for name, _ in module.named_parameters(recurse=False)
    }
