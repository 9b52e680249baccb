"""The figures against hand-made confusion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.evaluation.metrics import bootstrap_f1_macro, compute_metrics, summary, wilson
from training.report import git_commit

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


def test_absent_class_has_no_interval() -> None:
    metrics = compute_metrics(LOGITS, LABELS, ["a", "b", "c", "d"])
    assert metrics["recall_per_class"]["d"]["interval"] is None
    assert "[no photos]" in summary("test", metrics)


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
