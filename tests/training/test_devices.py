"""Devices and precision by flags alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]

FitCommand = Callable[..., int]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_device_that_is_not_there(fit: FitCommand, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(tmp_path / "out", "--hardware.accelerator", "gpu") == 2
    assert "hardware.accelerator gpu" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_half_precision_trains(fit: FitCommand, tmp_path: Path) -> None:
    assert fit(tmp_path / "out", "--hardware.precision", "bf16-mixed", "--schedule.epochs", "1") == 0
    history = json.loads((tmp_path / "out" / "history.json").read_text())
    assert np.isfinite(history[0]["train_loss"])


def test_a_loss_that_is_no_number_is_said(fit: FitCommand, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wild = ["--schedule.learning_rate", "1e30", "--schedule.gradient_clip", "0", "--schedule.warmup_epochs", "0"]
    assert fit(tmp_path / "out", *wild) == 2
    assert "lower schedule.learning_rate" in capsys.readouterr().err


@pytest.mark.long
def test_two_processes_train_one_member(preset: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "member"
    stages = '[{"epochs": 1, "trainable": "head"}, {"epochs": 2, "trainable": "all"}]'
    words = ["--config", str(preset), "--data", str(photos), "--out", str(out), "--schedule.stages", stages]
    words += ["--hardware.devices", "2", "--schedule.batch_size", "8"]
    done = subprocess.run(
        [sys.executable, "-m", "training", "fit", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    history = json.loads((out / "history.json").read_text())
    assert [entry["epoch"] for entry in history] == [1, 2, 3]
    with np.load(out / "test.npz") as test:
        assert len(test["labels"]) == 15
    assert done.stdout.count("member: ") == 1
    assert not (tmp_path / "member.partial").exists()
