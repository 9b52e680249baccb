"""Moving average of the weights (Polyak & Juditsky 1992), as exponential mean per step."""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn


class WeightAverage:
    """Keeps a second network whose weights and batch statistics follow the first.

    Args:
        network: the one that learns; after its first step the average equals it.
        decay: share of the average that each step keeps, 0-1.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.steps = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in one step."""
        own, new = self.network.state_dict(keep_vars=True), network.state_dict(keep_vars=True)
        means = [name for name, value in own.items() if value.is_floating_point()]
        averages = [cast(Tensor, own[name]).detach() for name in means]
        latest = [cast(Tensor, new[name]).detach() for name in means]
        torch._foreach_lerp_(averages, latest, 1 - self._decay if self.steps else 1.0)
        for name in own.keys() - set(means):  # counters
            own[name].copy_(new[name])
        self.steps += 1
