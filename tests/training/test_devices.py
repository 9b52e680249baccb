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
from processes import free_ports

from training.learning.devices import is_helper

ROOT = Path(__file__).parents[2]

FitCommand = Callable[..., int]

EXACT = ["--schedule.ema_decay", "0", "--model.weights", "float32"]
"""The network that is kept is the one that was validated, unrounded."""


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


@pytest.mark.parametrize(
    ("stated", "helper"),
    [
        ({}, False),
        ({"LOCAL_RANK": "1"}, True),
        ({"LOCAL_RANK": "0", "NODE_RANK": "1"}, True),
        ({"LOCAL_RANK": "0", "GROUP_RANK": "1"}, True),
        ({"TORCHELASTIC_RUN_ID": "a", "RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0"}, False),
        ({"TORCHELASTIC_RUN_ID": "a", "RANK": "2", "LOCAL_RANK": "0", "GROUP_RANK": "1"}, True),
        ({"TORCHELASTIC_RUN_ID": "a", "RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "1"}, False),
    ],
    ids=lambda value: " ".join(f"{key}={each}" for key, each in value.items()) if isinstance(value, dict) else None,
)
def test_one_process_of_all_machines_writes(
    stated: dict[str, str], helper: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "RANK", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in stated.items():
        monkeypatch.setenv(name, value)
    assert is_helper() == helper


@pytest.mark.parametrize(
    ("stated", "words", "said"),
    [
        (
            {"TORCHELASTIC_RUN_ID": "a", "RANK": "0", "WORLD_SIZE": "2"},
            [],
            "torchrun has started 2 processes, but hardware.devices 1",
        ),
        ({"SLURM_NTASKS": "2"}, ["--hardware.devices", "2"], "In a Slurm job several devices are driven by torchrun"),
        ({}, ["--hardware.num_nodes", "2"], "MASTER_ADDR, MASTER_PORT, NODE_RANK is not set"),
        ({}, ["--hardware.strategy", "fsdp"], "hardware.strategy"),
    ],
    ids=["torchrun", "slurm", "machines", "strategy"],
)
def test_other_ways_to_several_devices_are_refused(
    fit: FitCommand,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stated: dict[str, str],
    words: list[str],
    said: str,
) -> None:
    for name, value in stated.items():
        monkeypatch.setenv(name, value)
    assert fit(tmp_path / "out", *words) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def agree_on_the_validation_photos(out: Path) -> None:
    """What all devices saw in training is what the network that was kept says: its statistics are the first one's."""
    history = json.loads((out / "history.json").read_text())
    with np.load(out / "validation.npz") as stored:
        logits, labels = torch.from_numpy(stored["logits"]), torch.from_numpy(stored["labels"])
    kept = float(torch.nn.functional.cross_entropy(logits, labels))
    assert history[-1]["validation_loss"] == pytest.approx(kept, rel=1e-4)


@pytest.mark.long
def test_two_processes_train_one_member(preset: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "member"
    stages = '[{"epochs": 1, "trainable": "head"}, {"epochs": 2, "trainable": "all"}]'
    words = ["--config", str(preset), "--data", str(photos), "--out", str(out), "--schedule.stages", stages]
    words += ["--hardware.devices", "2", "--schedule.batch_size", "8", *EXACT]
    done = subprocess.run(
        [sys.executable, "-m", "training", "fit", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    history = json.loads((out / "history.json").read_text())
    assert [entry["epoch"] for entry in history] == [1, 2, 3]
    with np.load(out / "test.npz") as test:
        assert len(test["labels"]) == 15
    agree_on_the_validation_photos(out)
    assert done.stdout.count("member: ") == 1
    assert not (tmp_path / "member.partial").exists()


@pytest.mark.long
def test_torchrun_drives_two_machines_of_one_device(preset: Path, photos: Path, tmp_path: Path) -> None:
    out, (port,) = tmp_path / "member", free_ports(1)
    words = ["--config", str(preset), "--data", str(photos), "--out", str(out), "--hardware.num_nodes", "2", *EXACT]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
    torchrun += ["--master-addr", "127.0.0.1", "--master-port", str(port)]
    machines = [
        subprocess.Popen(
            [*torchrun, "--node-rank", number, "-m", "training", "fit", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in ("0", "1")
    ]
    told = [machine.communicate(timeout=250)[0] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], "\n".join(told)
    assert [each.count("member: ") for each in told] == [1, 0]
    agree_on_the_validation_photos(out)
