"""Losses against their definitions."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from training.config.schedule import LossConfig
from training.learning.losses import Loss, bi_tempered, class_weights, tempered_softmax

LOGITS = torch.randn(16, 5, generator=torch.Generator().manual_seed(0)) * 3
LABELS = torch.arange(16) % 5
TARGETS = functional.one_hot(LABELS, 5).float()
COUNTS = [41, 123, 118, 599, 126]


def loss(**fields: object) -> Loss:
    return Loss(LossConfig(**{"label_smoothing": 0.0, "balance": "none", **fields}), COUNTS)  # type: ignore[arg-type]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_torchs(smoothing: float) -> None:
    expected = functional.cross_entropy(LOGITS, LABELS, label_smoothing=smoothing)
    for targets in (LABELS, TARGETS):
        torch.testing.assert_close(loss(label_smoothing=smoothing)(LOGITS, targets), expected)


def test_focal_weighs_by_doubt() -> None:
    torch.testing.assert_close(loss(name="focal", focal_gamma=0.0)(LOGITS, LABELS), loss()(LOGITS, LABELS))
    probabilities = LOGITS.softmax(dim=1)[torch.arange(16), LABELS]
    expected = -((1 - probabilities) ** 2 * probabilities.log()).mean()
    torch.testing.assert_close(loss(name="focal", focal_gamma=2.0)(LOGITS, LABELS), expected)


def test_plain_temperatures_give_cross_entropy() -> None:
    expected = functional.cross_entropy(LOGITS, LABELS, reduction="none")
    torch.testing.assert_close(bi_tempered(LOGITS, TARGETS, 1.0, 1.0), expected)
    torch.testing.assert_close(bi_tempered(LOGITS, TARGETS, 0.9999, 1.0001), expected, atol=0.02, rtol=0.01)


@pytest.mark.parametrize("temperature", [1.2, 1.4, 2.0])
def test_tempered_softmax_is_a_distribution_with_heavy_tails(temperature: float) -> None:
    probabilities = tempered_softmax(LOGITS, temperature)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(16))
    far = torch.tensor([[0.0, 30.0]])
    assert tempered_softmax(far, temperature)[0, 0] > 1e3 * far.softmax(dim=1)[0, 0]


def test_one_wrong_label_costs_no_more_than_the_bound() -> None:
    hopeless, wrong = torch.tensor([[-1e4, 1e4]]), torch.tensor([[1.0, 0.0]])
    assert bi_tempered(hopeless, wrong, 0.2, 1.0) <= 1 / 0.8 + 1e-4
    assert bi_tempered(hopeless, wrong, 1.0, 1.0) > 20


@pytest.mark.parametrize(("t1", "t2"), [(0.8, 1.4), (1.0, 1.2), (0.5, 1.0)])
def test_gradient_of_the_fixed_point(t1: float, t2: float) -> None:
    logits = LOGITS[:4].double().requires_grad_()
    targets = TARGETS[:4].double() * 0.9 + 0.02
    assert torch.autograd.gradcheck(lambda values: bi_tempered(values, targets, t1, t2).sum(), logits, atol=1e-4)


def test_rare_classes_weigh_more_and_the_mean_stays() -> None:
    weights = class_weights(COUNTS, 0.5)
    assert weights.argmax() == 0
    assert float((weights * torch.tensor(COUNTS)).sum() / sum(COUNTS)) == pytest.approx(1)
    torch.testing.assert_close(class_weights(COUNTS, 0.0), torch.ones(5))
    each = functional.cross_entropy(LOGITS, LABELS, reduction="none")
    expected = (each * class_weights(COUNTS, 0.5)[LABELS]).mean()
    torch.testing.assert_close(loss(balance="loss", balance_power=0.5)(LOGITS, LABELS), expected)


def test_logit_adjustment_adds_what_classes_are_drawn() -> None:
    shares = torch.tensor(COUNTS) / sum(COUNTS)
    expected = functional.cross_entropy(LOGITS + 0.7 * shares.log(), LABELS)
    torch.testing.assert_close(loss(logit_adjustment=0.7)(LOGITS, LABELS), expected)
    balanced = loss(logit_adjustment=0.7, balance="sampler", balance_power=1.0)
    torch.testing.assert_close(balanced(LOGITS, LABELS), functional.cross_entropy(LOGITS, LABELS))
