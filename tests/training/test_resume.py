"""A run that is killed goes on where it stopped, and ends with the weights of one that was not."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins import MixedPrecision
from safetensors.torch import load_file

from training.__main__ import main
from training.config.command_line import configuration
from training.config.groups import TrainingConfig
from training.config.presets import load_presets, merge_values
from training.config.running import HardwareConfig
from training.errors import ModelFolderError, UnfinishedError
from training.learning.fit import fit
from training.learning.unfinished import Unfinished

ROOT = Path(__file__).parents[2]
# Everything that a checkpoint has to bring back: stages, averaging, a plateau, the best epoch, mixing, drawn photos.
RECIPE = """
extends: {preset}
schedule:
  batch_size: 8
  accumulate: 2
  decay: plateau
  plateau_patience: 0
  ema_decay: 0.9
  keep: best
  stages: [{{epochs: 2, learning_rate: 0.002, trainable: head}}, {{epochs: 4, trainable: all}}]
augmentation: {{shadow: 0.3, noise: 0.3, rotation: 10, clean_epochs: 1}}
model: {{weights: float32, dropout: 0.2}}
evaluation: {{page: false}}
"""
SHORT = ["--schedule.epochs", "1", "--evaluation.page", "false"]


@pytest.fixture(scope="module")
def recipe(preset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "killed.yaml"
    path.write_text(RECIPE.format(preset=preset))
    return path


def command(recipe: Path, photos: Path, out: Path) -> list[str]:
    return ["fit", "--config", str(recipe), "--data", str(photos), "--out", str(out)]


@pytest.fixture(scope="module")
def unbroken(recipe: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("unbroken") / "member"
    assert main(command(recipe, photos, out)) == 0
    return out


def same_weights(first: Path, second: Path) -> bool:
    one, other = (load_file(folder / "model.safetensors") for folder in (first, second))
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def epochs_done(log: Path) -> int:
    return log.read_text().count(" epoch ") if log.is_file() else 0


def killed(recipe: Path, photos: Path, out: Path, epochs: int, pause: float) -> str:
    """Start a run, kill -9 it `pause` seconds after it finished some epochs; what it had written to stderr."""
    log = out.with_suffix(".log")
    with log.open("w") as stream:
        run = subprocess.Popen(
            [sys.executable, "-m", "training", *command(recipe, photos, out)], cwd=ROOT, stderr=stream, stdout=stream
        )
        deadline = time.monotonic() + 120
        while epochs_done(log) < epochs and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(pause)
        run.send_signal(signal.SIGKILL)
        run.wait()
    return log.read_text()


def test_killed_in_the_middle_of_an_epoch(
    recipe: Path, photos: Path, unbroken: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "member"
    killed(recipe, photos, out, 3, 0.02)
    assert not out.exists()
    assert (tmp_path / "member.partial" / "last.ckpt").is_file()
    with caplog.at_level("INFO"):
        assert main(command(recipe, photos, out)) == 0
    assert "resumed after epoch" in caplog.text
    assert same_weights(out, unbroken)
    assert not (tmp_path / "member.partial").exists()
    histories = [json.loads((folder / "history.json").read_text()) for folder in (out, unbroken)]
    for entries in histories:
        assert [entry.pop("seconds") > 0 for entry in entries] == [True] * 6
    assert histories[0] == histories[1]


@pytest.mark.long
def test_killed_again_and_again_at_any_moment(recipe: Path, photos: Path, unbroken: Path, tmp_path: Path) -> None:
    chance = random.Random(int(os.environ.get("KILL_SEED", "0")))
    out = tmp_path / "member"
    for _ in range(8):
        killed(recipe, photos, out, chance.choice([0, 1, 1, 2]), chance.uniform(0.0, 1.0))
        if out.exists():
            assert same_weights(out, unbroken)
            shutil.rmtree(out)
    if not out.exists():
        assert main(command(recipe, photos, out)) == 0
    assert same_weights(out, unbroken)


def test_a_full_disk_costs_no_more_than_the_epoch(
    recipe: Path, photos: Path, unbroken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "member"

    def fill(epoch: int, figures: dict[str, float]) -> None:
        if epoch == 3:
            (tmp_path / "member.partial" / ".last.ckpt").symlink_to("/dev/full")

    with pytest.raises(ModelFolderError, match=r"last\.ckpt cannot be written: no space is left there\. Make room"):
        fit(configuration(load_presets(str(recipe))), photos, out, on_epoch=fill)
    assert main(command(recipe, photos, out)) == 0
    assert same_weights(out, unbroken)


class Scaled(MixedPrecision):
    """Float16's scaling of gradients, in float32: processors are slow in float16. Each step doubles the scale."""

    def __init__(self) -> None:
        super().__init__("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=1))
        self._desired_input_dtype = torch.float32

    def forward_context(self) -> AbstractContextManager[None]:
        return nullcontext()


def test_the_scale_of_half_precision_outlives_stages_and_interruptions(
    recipe: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precisions: list[Scaled] = []

    def launch(config: HardwareConfig) -> Fabric:
        precisions.append(Scaled())
        return Fabric(accelerator="cpu", devices=1, plugins=precisions[-1])

    def interrupt(epoch: int, figures: dict[str, float]) -> None:
        if epoch == 1:  # the first stage's last
            raise KeyboardInterrupt

    monkeypatch.setattr("training.learning.fit.launch", launch)
    stages = {"stages": [{"epochs": 1, "trainable": "head"}, {"epochs": 1, "trainable": "all"}]}
    config = configuration(merge_values(load_presets(str(recipe)), {"schedule": stages}))
    fit(config, photos, tmp_path / "unbroken")
    with pytest.raises(KeyboardInterrupt):
        fit(config, photos, tmp_path / "broken", on_epoch=interrupt)
    fit(config, photos, tmp_path / "broken")
    whole, first, second = (each.state_dict()["scale"] for each in precisions)
    assert 4 < first < second == whole


@pytest.mark.parametrize("name", ["last.ckpt", "run.json"])
def test_a_damaged_unfinished_run_is_named(tmp_path: Path, name: str) -> None:
    with Unfinished(tmp_path / "member") as partial:
        partial.begin(TrainingConfig(), {})
        partial.save("last.ckpt", {"seconds": 1.0})
        (partial.folder / name).write_bytes((partial.folder / name).read_bytes()[:20])
        with pytest.raises(UnfinishedError, match=rf"{re.escape(name)} is damaged: .* Delete .*member\.partial"):
            partial.load("last.ckpt")
            partial.begin(TrainingConfig(), {})


def test_a_process_that_sees_another_folder_says_so(tmp_path: Path) -> None:
    with Unfinished(tmp_path / "member") as partial:
        partial.begin(TrainingConfig(), {})
        partial.check_shared(lambda seen: seen)
        with pytest.raises(UnfinishedError, match="a folder that all machines share"):
            partial.check_shared(lambda seen: {**seen, "last.ckpt": 9})


def test_another_run_is_not_mistaken_for_it(
    recipe: Path, photos: Path, own_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "member"

    def interrupted(epoch: int, figures: dict[str, float]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(configuration(load_presets(str(recipe))), photos, out, on_epoch=interrupted)
    assert main([*command(recipe, photos, out), "--loss.label_smoothing", "0.2"]) == 2
    assert "loss.label_smoothing was 0.1, is 0.2" in capsys.readouterr().err
    (own_photos / "train_images" / "0_00.jpg").write_bytes((own_photos / "train_images" / "0_01.jpg").read_bytes())
    assert main(command(recipe, own_photos, out)) == 2
    assert "data.photos was" in capsys.readouterr().err
    assert (tmp_path / "member.partial" / "last.ckpt").is_file()


def test_a_run_that_learned_nothing_yet_stands_in_nobodys_way(preset: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "member"
    (tmp_path / "member.partial").mkdir()
    (tmp_path / "member.partial" / "run.json").write_text(
        '{"configuration": {}, "data": {}}'
    )  # killed in its first epoch
    assert main([*command(preset, photos, out), *SHORT]) == 0


def test_two_at_once_are_refused(
    recipe: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "member"
    with Unfinished(out):
        assert main(command(recipe, photos, out)) == 2
    assert "another process" in capsys.readouterr().err


def test_an_existing_folder_is_only_replaced_when_told(
    preset: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "member"
    out.mkdir()
    (out / "mine").write_text("kept")
    assert main(command(preset, photos, out)) == 2
    assert "--overwrite true" in capsys.readouterr().err
    assert (out / "mine").read_text() == "kept"
    assert main([*command(preset, photos, out), *SHORT, "--overwrite", "true"]) == 0
    assert (out / "model.safetensors").is_file()
    assert not (out / "mine").exists()
    assert list(tmp_path.glob("*.partial")) == []
