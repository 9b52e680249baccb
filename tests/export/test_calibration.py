"""Temperatures, weights and figures, on data whose answer is known."""

import numpy as np
import pytest

from export import figures
from export.calibration import fit_temperature, fit_weights, losses, pays, sharpen


def drawn(seed: int, count: int = 4000, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities and labels drawn from them."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(count, classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return probabilities, np.array([rng.choice(classes, p=p) for p in probabilities])


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_was_put_in_comes_out(temperature: float) -> None:
    probabilities, labels = drawn(0)
    assert fit_temperature(sharpen(probabilities, 1 / temperature), labels) == pytest.approx(temperature, rel=0.08)


def test_calibration_after_averaging_is_asked_for_only_where_it_helps() -> None:
    probabilities, labels = drawn(1, 600)
    assert not pays(probabilities, labels)
    assert pays(sharpen(probabilities, 3.0), labels)
    assert not pays(sharpen(probabilities, 3.0)[:20], labels[:20])


def test_fitted_weights_are_the_likeliest() -> None:
    good, labels = drawn(2, 800)
    noise = np.random.default_rng(3).dirichlet(np.ones(4), 800)
    weights = fit_weights([good, noise], labels)
    assert sum(weights) == pytest.approx(1)
    assert weights[0] > 0.9
    best = losses(weights[0] * good + weights[1] * noise, labels).mean()
    for other in (0.3, 0.5, 0.7, weights[0] - 0.05):
        assert best <= losses(other * good + (1 - other) * noise, labels).mean() + 1e-9


def test_figures_agree_with_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, f1_score, recall_score

    probabilities, labels = drawn(4, 300)
    predicted, answers = probabilities.argmax(1), figures.Answers.of(probabilities, labels)
    assert figures.accuracy(answers) == accuracy_score(labels, predicted)
    assert figures.f1_macro(answers) == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert figures.recalls(answers) == pytest.approx(list(recall_score(labels, predicted, average=None)))


def test_the_calibration_error_sees_overconfidence() -> None:
    probabilities, labels = drawn(5)
    told = (probabilities, sharpen(probabilities, 0.3))
    calibrated, over = (figures.calibration_error(figures.Answers.of(p, labels)) for p in told)
    assert calibrated < 0.03
    assert over > 0.1


def test_wilson_intervals_hold_the_truth() -> None:
    hits = np.random.default_rng(6).binomial(80, 0.05, 2000)
    held = [low <= 0.05 <= high for low, high in (figures.wilson(int(h), 80) for h in hits)]
    assert 0.92 < np.mean(held) < 0.99
