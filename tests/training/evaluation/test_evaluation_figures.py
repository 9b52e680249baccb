"""Figures, intervals and temperatures against scikit-learn, torchmetrics and cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score
from torchmetrics.functional.classification import multiclass_calibration_error

from training.evaluation import resampling
from training.evaluation.analysis import most_frequent, worst_mistakes
from training.evaluation.calibration import calibration_figures, fit_temperature, scaled
from training.evaluation.members import Answers, answers_of, average, paired_difference
from training.evaluation.metrics import compute_metrics
from training.folder import Predictions

RANDOM = np.random.default_rng(3)
LABELS = RANDOM.integers(4, size=300)
LOGITS = (RANDOM.normal(size=(300, 4)) + 2 * np.eye(4)[LABELS]).round(1).astype(np.float32)  # rounding makes ties
SCORES = scaled(LOGITS, 1.0)
PREDICTED = LOGITS.argmax(axis=1)


def predictions(logits: np.ndarray, labels: np.ndarray = LABELS) -> Predictions:
    names = np.array([f"{index:03}.jpg" for index in range(len(labels))])
    return Predictions(logits.astype(np.float32), labels, names, "0" * 64)


def answers(name: str, logits: np.ndarray) -> Answers:
    return answers_of(name, predictions(logits), predictions(logits))


def test_macro_figures_against_scikit_learn() -> None:
    metrics = compute_metrics(LOGITS, LABELS, list("abcd"))
    assert metrics["precision_macro"] == pytest.approx(precision_score(LABELS, PREDICTED, average="macro"))
    assert metrics["recall_macro"] == pytest.approx(recall_score(LABELS, PREDICTED, average="macro"))
    assert metrics["auc_one_vs_rest_macro"] == pytest.approx(roc_auc_score(LABELS, SCORES, multi_class="ovr"))
    assert metrics["auc_one_vs_rest_per_class"]["b"] == pytest.approx(roc_auc_score(LABELS == 1, SCORES[:, 1]))
    assert metrics["f1_per_class"]["c"] == pytest.approx(f1_score(LABELS, PREDICTED, average=None)[2])


def test_class_that_never_occurs_counts_nowhere_and_has_no_figures() -> None:
    wider = np.concatenate([LOGITS, np.full((300, 1), -9, np.float32)], axis=1)
    without, metrics = compute_metrics(LOGITS, LABELS, list("abcd")), compute_metrics(wider, LABELS, list("abcde"))
    for name in ("f1_macro", "recall_macro", "precision_macro", "auc_one_vs_rest_macro"):
        assert metrics[name] == pytest.approx(without[name], abs=1e-4), name
    assert metrics["auc_one_vs_rest_per_class"]["e"] is None
    assert metrics["precision_per_class"]["e"] == {"precision": None, "interval": None}


def test_one_class_alone_has_no_area() -> None:
    metrics = compute_metrics(LOGITS[:5], np.zeros(5, np.int64), list("abcd"))
    assert metrics["auc_one_vs_rest_macro"] is None


def test_resampled_figures_are_those_of_the_drawn_photos() -> None:
    draws = RANDOM.integers(300, size=(3, 300))
    tables = resampling.confusions(PREDICTED, LABELS, 4, draws)
    areas = resampling.auc_macro(SCORES, LABELS, draws)
    errors = resampling.calibration_errors(SCORES, LABELS, draws)
    for place, drawn in enumerate(draws):
        truth, said = LABELS[drawn], PREDICTED[drawn]
        assert resampling.f1_macro(tables)[place] == pytest.approx(f1_score(truth, said, average="macro"))
        assert resampling.precision_macro(tables)[place] == pytest.approx(precision_score(truth, said, average="macro"))
        assert resampling.recall_macro(tables)[place] == pytest.approx(recall_score(truth, said, average="macro"))
        assert resampling.accuracy(tables)[place] == pytest.approx((truth == said).mean())
        assert areas[place] == pytest.approx(roc_auc_score(truth, SCORES[drawn], multi_class="ovr"))
        assert errors[place] == pytest.approx(calibration_figures(SCORES[drawn], truth)["ece_15_bins_l1"])


def test_area_of_a_resample_with_one_class_is_left_out() -> None:
    areas = resampling.auc_macro(SCORES[:2], np.array([0, 1]), np.array([[0, 0], [0, 1]]))
    assert np.isnan(areas[0])
    assert resampling.interval(areas) == [areas[1], areas[1]]


def test_calibration_error_is_that_of_torchmetrics_within_its_interval() -> None:
    figures = calibration_figures(SCORES, LABELS)
    expected = multiclass_calibration_error(torch.from_numpy(SCORES), torch.from_numpy(LABELS), 4, n_bins=15, norm="l1")
    assert figures["ece_15_bins_l1"] == pytest.approx(float(expected), abs=1e-6)
    low, high = figures["ece_15_bins_l1_interval"]
    assert low <= figures["ece_15_bins_l1"] <= high


def test_temperature_undoes_exaggeration_and_changes_no_answer() -> None:
    truth = RANDOM.normal(size=(3000, 4))
    chosen = (truth + RANDOM.gumbel(size=truth.shape)).argmax(axis=1)  # drawn with the softmax's probabilities
    temperature = fit_temperature(3 * truth, chosen)
    assert temperature == pytest.approx(3, rel=0.15)
    before, after = (calibration_figures(scaled(3 * truth, t), chosen) for t in (1.0, temperature))
    assert after["ece_15_bins_l1"] < 0.05 < before["ece_15_bins_l1"]
    assert (scaled(3 * truth, temperature).argmax(axis=1) == truth.argmax(axis=1)).all()


def test_temperature_without_photos_is_one() -> None:
    assert fit_temperature(np.empty((0, 4)), np.empty(0, np.int64)) == 1.0


def test_difference_of_a_model_from_itself_is_nothing() -> None:
    same = paired_difference(answers("a", LOGITS), answers("b", LOGITS))
    assert same["f1_macro"] == {"difference": 0.0, "interval": [0.0, 0.0]}


def test_difference_has_the_sign_of_the_better_and_holds_its_estimate() -> None:
    good, bad = answers("good", LOGITS), answers("bad", RANDOM.normal(size=LOGITS.shape))
    found = paired_difference(good, bad)
    for name in ("accuracy_micro", "f1_macro"):
        low, high = found[name]["interval"]
        assert 0 < low < found[name]["difference"] < high
    assert found["accuracy_micro"]["difference"] == pytest.approx(
        (good.predicted == LABELS).mean() - (bad.predicted == LABELS).mean()
    )


def test_average_is_the_mean_of_probabilities_and_of_calibrated_ones() -> None:
    one, other = answers("one", LOGITS), answers("other", 4 * LOGITS)
    both = average([one, other])
    assert np.allclose(both.probabilities, (one.probabilities + other.probabilities) / 2)
    assert one.calibrated is not None
    assert both.calibrated is not None
    assert np.allclose(both.calibrated, one.calibrated, atol=1e-3)  # the temperature takes the factor 4 back
    assert both.temperatures["other"] == pytest.approx(4 * both.temperatures["one"], rel=1e-2)


def test_worst_mistakes_come_worst_first() -> None:
    rows = worst_mistakes(answers("a", LOGITS), list("abcd"), 5)
    left = [row["probability_of_truth"] for row in rows]
    assert left == sorted(left)
    wrong = PREDICTED != LABELS
    assert left[0] == pytest.approx(SCORES[np.arange(300), LABELS][wrong].min())
    assert all(row["truth"] != row["predicted"] for row in rows)


def test_most_frequent_class_is_what_scikit_learn_says_of_it() -> None:
    labels = np.array([0, 0, 0, 1, 2, 2])
    found = most_frequent(labels, list("abc"))
    assert (found["class"], found["accuracy_micro"]) == ("a", 0.5)
    assert found["f1_macro"] == pytest.approx(f1_score(labels, np.zeros(6), average="macro", zero_division=0))
