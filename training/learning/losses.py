"""What is minimised: cross-entropy, focal and bi-tempered loss of hard or mixed targets, and how rare classes are heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.config.schedule import LossConfig


def class_weights(counts: Sequence[int], power: float) -> Tensor:
    """Weight (1 / count) ** power per class, float32 [C], with mean 1 over the photos."""
    numbers = torch.tensor(counts).clamp(min=1).float()
    weights = numbers**-power
    return weights * (numbers.sum() / (weights * numbers).sum())


class Loss(nn.Module):
    """Mean loss of logits float32 [N, C] against labels int64 [N] or class shares float32 [N, C].

    Args:
        config: which loss, and its numbers.
        counts: training photos of each class.
    """

    def __init__(self, config: LossConfig, counts: Sequence[int]) -> None:
        super().__init__()
        self._config = config
        weights = class_weights(counts, config.balance_power)
        drawn = torch.tensor(counts).clamp(min=1).float()
        if config.balance == "sampler":
            drawn = drawn * weights
        self.register_buffer("weights", weights if config.balance == "loss" else None, persistent=False)
        self.register_buffer("offsets", config.logit_adjustment * (drawn / drawn.sum()).log(), persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """A scalar."""
        classes = logits.shape[1]
        if targets.ndim == 1:
            targets = functional.one_hot(targets, classes).to(logits.dtype)
        if self._config.logit_adjustment:
            logits = logits + cast(Tensor, self.offsets)
        smoothed = targets * (1 - self._config.label_smoothing) + self._config.label_smoothing / classes
        losses = self._each(logits, smoothed)
        if self.weights is not None:
            losses = losses * (targets @ cast(Tensor, self.weights))
        return losses.mean()

    def _each(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self._config.name == "bi_tempered":
            return bi_tempered(logits, targets, self._config.t1, self._config.t2)
        logs = logits.log_softmax(dim=1)
        if self._config.name == "focal":
            return -(targets * (1 - logs.exp()) ** self._config.focal_gamma * logs).sum(dim=1)
        return -(targets * logs).sum(dim=1)


def bi_tempered(logits: Tensor, targets: Tensor, t1: float, t2: float) -> Tensor:
    """Bi-tempered logistic loss (Amid, Warmuth, Anil & Koren 2019, "Robust bi-tempered logistic loss").

    With both temperatures at 1 it is cross-entropy less the targets' entropy.

    Args:
        logits: float32 [N, C].
        targets: class shares, float32 [N, C].
        t1: below 1, bounds what one photo can cost.
        t2: above 1, gives the softmax a heavy tail.

    Returns:
        float32 [N].
    """
    probabilities = tempered_softmax(logits, t2)
    difference = _log(targets, t1) - _log(probabilities, t1)
    powers = (targets ** (2 - t1) - probabilities ** (2 - t1)) / (2 - t1)
    return (targets * difference - powers).sum(dim=1)


def tempered_softmax(logits: Tensor, temperature: float, rounds: int = 30) -> Tensor:
    """Softmax with the tempered exponential, float32 [N, C]; its normaliser is the fixed point of the paper's algorithm 1."""
    if temperature == 1:
        return logits.softmax(dim=1)
    with torch.no_grad():
        largest = logits.max(dim=1, keepdim=True).values
        shifted = logits - largest
        scaled = shifted
        for _ in range(rounds):
            scaled = shifted * _exp(scaled, temperature).sum(dim=1, keepdim=True) ** (1 - temperature)
        total = _exp(scaled, temperature).sum(dim=1, keepdim=True)
        normaliser = largest - _log(1 / total, temperature)
        escort = _exp(logits - normaliser, temperature) ** temperature
        escort = escort / escort.sum(dim=1, keepdim=True)
    # The fixed point has no graph; its gradient is the escort distribution (implicit differentiation).
    normaliser = normaliser + (escort * (logits - logits.detach())).sum(dim=1, keepdim=True)
    return _exp(logits - normaliser, temperature)


def _log(values: Tensor, temperature: float) -> Tensor:
    values = values.clamp(min=1e-10)
    return values.log() if temperature == 1 else (values ** (1 - temperature) - 1) / (1 - temperature)


def _exp(values: Tensor, temperature: float) -> Tensor:
    return (1 + (1 - temperature) * values).clamp(min=1e-10) ** (1 / (1 - temperature))
