"""`python -m training search`: proposals, early stops, resuming, and the preset it leaves."""

from __future__ import annotations

import csv
from pathlib import Path

import optuna
import pytest
import yaml
from optuna.trial import TrialState
from tinted_photos import TINY, make_photos

from training.__main__ import main
from training.config.groups import TrainingConfig
from training.tracking.space import configured

SPACE = '{"schedule.learning_rate": {"choice": [0.01, 1e-8]}, "augmentation.crop_scale": {"choice": [[0.5, 1.0]]}}'


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("photos") / "data")


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    plain = "augmentation: {mix_probability: 0, erasing: 0, hue: 0, clean_epochs: 0}"
    path.write_text(TINY.replace("augmentation: {clean_epochs: 0, mix_probability: 1.0}", plain))
    return path


def search(preset: Path, photos: Path, out: Path, *more: str, space: str = SPACE) -> int:
    options = ["--out", str(out), "--search.space", space, "--schedule.ema_decay", "0", "--search.epochs", "2", *more]
    return main(["search", "--config", str(preset), "--data", str(photos), *options])


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def study(out: Path) -> optuna.Study:
    return optuna.load_study(study_name="search", storage=f"sqlite:///{out / 'study.db'}")


def test_the_better_value_is_found_and_kept_as_a_preset(
    tmp_path: Path, preset: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "search"
    # the seed with which three runs with the good value are followed by one with the bad one
    options = ["--search.trials", "4", "--search.sampler_seed", "2", "--search.metric", "validation_loss"]
    assert search(preset, photos, out, *options) == 0
    found = [(row["state"], row["schedule.learning_rate"], row["epochs"]) for row in rows(out)]
    assert found == [*[("complete", "0.01", "2")] * 3, ("pruned", "1e-08", "1")]
    best = yaml.safe_load((out / "best.yaml").read_text())
    assert best["schedule"]["learning_rate"] == 0.01
    assert best["model"]["architecture"] == "test_resnet"
    assert not {"search", "tracking"} & best.keys()
    assert sorted(path.name for path in out.iterdir()) == ["best.yaml", "study.db", "trials.csv"]
    told = capsys.readouterr().out
    assert "3 runs finished, 1 were stopped early" in told
    assert f"next: python -m training fit --config {out / 'best.yaml'}" in told
    assert main(["fit", "--config", str(out / "best.yaml"), "--data", str(photos), "--out", str(tmp_path / "net")]) == 0


def test_a_killed_search_goes_on_with_the_run_that_was_lost(tmp_path: Path, preset: Path, photos: Path) -> None:
    out = tmp_path / "search"
    assert search(preset, photos, out, "--search.trials", "1") == 0
    lost = study(out).ask()  # as a kill leaves it: begun, never told
    lost.suggest_categorical("schedule.learning_rate", ["0.01", "1e-08"])
    lost.suggest_categorical("augmentation.crop_scale", ["[0.5, 1.0]"])
    before = lost.params
    assert search(preset, photos, out, "--search.trials", "2") == 0
    trials = study(out).trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE, TrialState.FAIL, TrialState.COMPLETE]
    assert trials[2].params == before
    assert search(preset, photos, out, "--search.trials", "2") == 0
    assert len(study(out).trials) == 3, "nothing was left to do"


def test_values_that_lead_nowhere_do_not_end_the_search(tmp_path: Path, preset: Path, photos: Path) -> None:
    space = '{"schedule.learning_rate": {"choice": [1e30]}}'
    wild = ["--schedule.gradient_clip", "0", "--schedule.warmup_epochs", "0", "--search.trials", "2"]
    assert search(preset, photos, tmp_path / "search", *wild, space=space) == 2, "no run came to its end"
    assert [row["state"] for row in rows(tmp_path / "search")] == ["pruned", "pruned"]


def test_another_search_is_not_mixed_in(
    tmp_path: Path, preset: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "search"
    assert search(preset, photos, out, "--search.trials", "1") == 0
    assert search(preset, photos, out, "--search.trials", "2", "--schedule.batch_size", "8") == 2
    assert "holds a search with other photos or another configuration" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ('{"schedule.learning_rat": {"log": [1e-4, 1e-2]}}', "schedule.learning_rat is no field"),
        ('{"schedule.learning_rate": {"range": [-1, 1]}}', "greater than 0"),
        ('{"dataset.split_seed": {"integer": [0, 9]}}', "dataset.split_seed cannot be varied"),
        ('{"schedule.learning_rate": {"log": [1e-2, 1e-4]}}', "write log: [low, high]"),
        ("{}", "search.space is empty"),
    ],
)
def test_an_unusable_space_is_refused_before_anything_runs(
    tmp_path: Path, preset: Path, photos: Path, capsys: pytest.CaptureFixture[str], space: str, said: str
) -> None:
    assert search(preset, photos, tmp_path / "search", space=space) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "search").exists()


def test_stages_are_shortened_in_proportion() -> None:
    stages = [{"epochs": 10, "trainable": "head"}, {"epochs": 30}]
    config = TrainingConfig(**{"schedule": {"stages": stages}, "search": {"epochs": 8}})
    short = configured(config, {"schedule.weight_decay": 0.2}).schedule
    assert [stage.epochs for stage in short.stages] == [2, 6]
    assert (short.epochs, short.weight_decay) == (8, 0.2)
    assert short.warmup_epochs == pytest.approx(3 * 8 / 40)
    assert configured(config, {}).augmentation.clean_epochs == 1
    shortest = TrainingConfig(**{"schedule": {"stages": stages}, "search": {"epochs": 1}})
    assert [stage.epochs for stage in configured(shortest, {}).schedule.stages] == [1, 1]
    assert configured(shortest, {}).augmentation.clean_epochs == 0
