"""The figures against hand-made confusion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.evaluation.metrics import bootstrap_f1_macro, compute_metrics, summary, wilson
from training.report import git_commit
from training.tracking.runs import flat_metrics

LABELS = np.array([0, 0, 0, 1, 1, 2])
LOGITS = np.eye(4, dtype=np.float32)[[0, 0, 1, 1, 1, 0]] * 10


def test_against_figures_by_hand() -> None:
    metrics = compute_metrics(LOGITS, LABELS, ["a", "b", "c", "d"])
    assert metrics["accuracy_micro"] == pytest.approx(4 / 6)
    # F1 of a: 2*2/(3+3), of b: 2*2/(2+3), of c: 0; d never occurs and is left out
    assert metrics["f1_macro"] == pytest.approx((4 / 6 + 4 / 5 + 0) / 3)
    assert metrics["recall_per_class"]["a"]["recall"] == pytest.approx(2 / 3)
    assert metrics["recall_per_class"]["a"]["predicted"] == 3
    assert metrics["confusion_rows_are_truth"][2] == [1, 0, 0, 0]


@pytest.mark.parametrize("answered", [False, True], ids=["never named", "named"])
def test_a_class_without_photos_has_no_recall_and_counts_in_no_macro_figure(answered: bool) -> None:
    logits = np.eye(3, dtype=np.float32)[[0, 2 if answered else 1, 1]] * 10
    metrics = compute_metrics(logits, np.array([0, 0, 1]), ["a", "b", "c"])
    assert metrics["recall_per_class"]["c"] == {
        "recall": None,
        "interval": None,
        "photos": 0,
        "predicted": int(answered),
    }
    assert metrics["f1_per_class"]["c"] is None
    assert metrics["classes_without_photos"] == ["c"]
    assert metrics["recall_macro"] == pytest.approx((1 / 2 + 1) / 2)
    assert metrics["precision_macro"] == pytest.approx(1 if answered else (1 + 1 / 2) / 2)
    assert metrics["f1_macro"] == pytest.approx((2 / 3 + (1 if answered else 2 / 3)) / 2)
    told = summary("test", metrics)
    assert "no photos" in next(line for line in told.splitlines() if line.startswith("  recall c"))
    assert "macro figures leave out c: no photos" in told
    assert flat_metrics({"test": metrics}).keys().isdisjoint({"test/recall/c"})


def test_wilson_against_a_published_value() -> None:
    assert wilson(8, 10) == pytest.approx([0.4902, 0.9433], abs=1e-4)


def test_bootstrap_holds_the_estimate_and_repeats() -> None:
    predicted = LOGITS.argmax(axis=1)
    low, high = bootstrap_f1_macro(predicted, LABELS, 4)
    assert low <= compute_metrics(LOGITS, LABELS, list("abcd"))["f1_macro"] <= high
    assert [low, high] == bootstrap_f1_macro(predicted, LABELS, 4)


def test_commit_is_none_without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_commit() is None


def test_commit_is_none_outside_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nexit 128\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert git_commit() is None
