"""Drawn data: seeded, complete, trainable without any photo."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from training.__main__ import main
from training.config.groups import DatasetConfig
from training.data.dataset import read_dataset
from training.data.leaves import draw_leaf
from training.data.synthetic import class_lesions, data_folder, generate, synthetic_task
from training.errors import ConfigurationError
from training.tasks import load_task


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of four pictures."""
    out = tmp_path_factory.mktemp("drawn") / "leaves"
    assert main(["synthesize", "--out", str(out), "--classes", "3", "--photos", "4", "--height", "48"]) == 0
    return out


def test_the_folder_is_a_sound_data_set(drawn: Path) -> None:
    dataset = read_dataset(drawn, DatasetConfig(task="auto"))
    assert dataset.problems == []
    assert dataset.task.names == ["Brown spots", "Yellow mosaic", "Healthy"]
    assert len(dataset.photos) == 12
    assert {(each.width, each.height) for each in dataset.fingerprints} == {(64, 48)}


def test_the_same_numbers_draw_the_same_pictures(drawn: Path, tmp_path: Path) -> None:
    generate(tmp_path / "again", 3, 4, 0, 48)
    generate(tmp_path / "other", 3, 4, 1, 48)
    for path in (drawn / "train_images").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / "train_images" / path.name).read_bytes()
        assert path.read_bytes() != (tmp_path / "other" / "train_images" / path.name).read_bytes()


def test_forty_classes_differ() -> None:
    lesions = class_lesions(40)
    assert len(set(lesions)) == 40
    assert len({info.key for info in synthetic_task(40).classes}) == 40
    healthy, *sick = [np.asarray(draw_leaf(np.random.default_rng(5), each, 48), int) for each in (None, *lesions[:39])]
    assert all(np.abs(picture - healthy).mean() > 0.3 for picture in sick)


@pytest.mark.parametrize(
    ("option", "value"), [("--classes", "1"), ("--classes", "41"), ("--photos", "0"), ("--height", "8")]
)
def test_impossible_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str) -> None:
    assert main(["synthesize", "--out", str(tmp_path / "out"), option, value]) == 2
    assert option in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_exists_is_not_touched(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(path.name for path in drawn.iterdir())
    assert main(["synthesize", "--out", str(drawn)]) == 2
    assert "is not touched" in capsys.readouterr().err
    assert sorted(path.name for path in drawn.iterdir()) == before


def test_the_shipped_task_is_that_of_the_default_pictures() -> None:
    assert load_task("synthetic") == synthetic_task(5)
    assert all("stands for no disease" in info.advice["en"] for info in load_task("synthetic").classes)


def test_pictures_are_drawn_where_no_data_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("training.data.synthetic.generate", lambda out: (out / "drawn").mkdir(parents=True))
    config = DatasetConfig(task="synthetic")
    assert data_folder(None, config) == Path("build/synthetic")
    assert (tmp_path / "build" / "synthetic" / "drawn").is_dir()
    assert data_folder(None, config) == Path("build/synthetic")  # there already: not drawn again
    assert data_folder(tmp_path, config) == tmp_path
    with pytest.raises(ConfigurationError, match="give --data"):
        data_folder(None, DatasetConfig(task="cassava"))


def test_the_preset_trains_on_them(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "member"
    small = ["--dataset.test_fraction", "0.3", "--dataset.validation_fraction", "0.3", "--schedule.epochs", "1"]
    given = ["fit", "--config", "synthetic,debug", "--data", str(drawn), "--out", str(out), "--dataset.task", "auto"]
    assert main([*given, *small]) == 0
    assert json.loads((out / "classes.json").read_text())["task"] == "synthetic"
