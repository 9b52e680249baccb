"""Cross-validation: every photo is answered by a network that never saw it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from training.__main__ import main
from training.evaluation.compare import read_runs

ROOT = Path(__file__).parents[2]
SMALL = ["--dataset.folds", "2", "--schedule.epochs", "1"]


def folds(photos: Path, out: Path, *recipes: Path) -> list[str]:
    """Words of the command, with few folds and epochs."""
    configs = [word for recipe in recipes for word in ("--config", str(recipe))]
    return ["folds", *configs, "--data", str(photos), "--out", str(out), *SMALL]


@pytest.fixture(scope="module")
def second(preset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("second") / "other.yaml"
    path.write_text(f"extends: {preset}\nmodel: {{name: other, architecture: small_cnn}}\n")
    return path


@pytest.fixture(scope="module")
def two(preset: Path, second: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recipes on two folds."""
    out = tmp_path_factory.mktemp("folds") / "two"
    assert main([*folds(photos, out, preset, second), "--evaluation.views", "8"]) == 0
    return out


def test_each_photo_outside_the_test_set_is_answered_once(two: Path) -> None:
    oof = np.load(two / "test_resnet" / "oof.npz")
    seen: list[str] = []
    for number in (1, 2):
        fold = two / "test_resnet" / f"fold_{number}"
        with np.load(fold / "validation.npz") as own, np.load(fold / "test.npz") as test:
            seen += own["image_ids"].tolist()
            assert not set(test["image_ids"]) & set(oof["image_ids"])
            rows = np.searchsorted(oof["image_ids"], own["image_ids"])
            assert np.array_equal(oof["logits"][rows], own["logits"])
            assert np.array_equal(oof["labels"][rows], own["labels"])
    assert sorted(seen) == oof["image_ids"].tolist()
    assert len(set(seen)) == 45  # of 60, a quarter is the test set


def test_the_average_is_of_probabilities_and_has_intervals(two: Path) -> None:
    members = [np.load(two / name / "oof.npz") for name in ("test_resnet", "other")]
    probabilities = np.mean([torch.from_numpy(each["logits"]).softmax(dim=1).numpy() for each in members], axis=0)
    stored = np.load(two / "oof.npz")
    np.testing.assert_allclose(np.exp(stored["logits"]), probabilities, rtol=1e-4)
    found = json.loads((two / "folds.json").read_text())
    accuracy = float((probabilities.argmax(axis=1) == stored["labels"]).mean())
    assert found["metrics"]["accuracy_micro"] == pytest.approx(accuracy)
    for key in ("f1_macro_interval", "accuracy_micro_bootstrap_interval", "recall_macro_bootstrap_interval"):
        low, high = found["metrics"][key]
        assert 0 <= low <= high <= 1
    assert found["members"] == ["test_resnet", "other"]
    assert set(found["metrics_difference_from"]) == {"test_resnet", "other"}
    one = json.loads((two / "other" / "folds.json").read_text())
    assert (one["architecture"], one["folds"], len(one["per_fold"])) == ("small_cnn", 2, 2)
    assert sum(fold["photos"] for fold in one["per_fold"]) == 45
    assert {"oof_views.npz", "classes.json"} <= {path.name for path in (two / "other").iterdir()}
    assert 0 <= one["metrics_of_8_views"]["accuracy_micro"] <= 1


def test_folds_that_are_done_stay_and_missing_ones_come_back(
    two: Path, preset: Path, second: Path, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fold = two / "other" / "fold_2"
    before, kept = load_file(fold / "model.safetensors"), (two / "other" / "fold_1" / "report.json").stat().st_mtime_ns
    shutil.rmtree(fold)
    with caplog.at_level("INFO"):
        assert main(folds(photos, two, preset, second)) == 0
    assert "1 of 4 folds to train" in caplog.text
    after = load_file(fold / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (two / "other" / "fold_1" / "report.json").stat().st_mtime_ns == kept


def test_other_recipes_are_not_mixed_in(
    two: Path, preset: Path, second: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = folds(photos, two, preset, second)
    assert main([*words, "--schedule.learning_rate", "0.5"]) == 2
    assert "another recipe" in capsys.readouterr().err
    assert main([*words, "--model.input_size", "48"]) == 2
    assert "another recipe" in capsys.readouterr().err
    assert main([*words, "--hardware.devices", "2"]) == 2
    assert "--jobs" in capsys.readouterr().err
    assert main(folds(photos, two, preset, preset)) == 2
    assert "model.name" in capsys.readouterr().err


@pytest.fixture(scope="module")
def trained(
    two: Path, preset: Path, second: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """Members of both recipes with the answers of their folds, and the command that gave them."""
    members = tmp_path_factory.mktemp("members")
    for name, recipe in (("test_resnet", preset), ("other", second)):
        words = ["fit", "--config", str(recipe), "--data", str(photos), "--out", str(members / name), *SMALL]
        assert main(words) == 0
    words = [*folds(photos, two, preset, second), "--members", str(members)]
    assert main(words) == 0
    return members, words


def test_trained_members_get_the_answers_of_their_folds(two: Path, trained: tuple[Path, list[str]]) -> None:
    for name in ("test_resnet", "other"):
        with np.load(two / name / "oof.npz") as written, np.load(trained[0] / name / "oof.npz") as given:
            assert {key: array.tolist() for key, array in given.items()} == {
                key: array.tolist() for key, array in written.items()
            }
            with np.load(trained[0] / name / "test.npz") as test:
                assert not set(test["image_ids"]) & set(given["image_ids"])


def test_a_member_with_such_answers_is_still_judged_by_its_test_photos(
    trained: tuple[Path, list[str]],
) -> None:
    runs = read_runs(trained[0] / "other")
    assert [(run.name, run.part, len(run.answers.labels)) for run in runs] == [("other", "test", 15)]


def test_members_of_another_recipe_or_other_photos_get_none(
    trained: tuple[Path, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    members = shutil.copytree(trained[0], tmp_path / "members")
    words = [*trained[1][:-1], str(members)]
    with np.load(members / "other" / "test.npz") as test:
        arrays = dict(test)
    with np.load(members / "other" / "oof.npz") as given:
        arrays["image_ids"][0] = given["image_ids"][0]
    np.savez(members / "other" / "test.npz", **arrays)
    (members / "other" / "oof.npz").unlink()
    assert main(words) == 2
    assert "other was trained on other photos, or split otherwise" in capsys.readouterr().err
    assert not (members / "other" / "oof.npz").exists()
    report = json.loads((members / "other" / "report.json").read_text())
    report["configuration"]["schedule"]["epochs"] = 7
    (members / "other" / "report.json").write_text(json.dumps(report))
    assert main(words) == 2
    assert "other was trained by another recipe" in capsys.readouterr().err
    shutil.rmtree(members / "other")
    assert main(words) == 2
    assert "a trained-model folder called other" in capsys.readouterr().err


@pytest.mark.long
def test_side_by_side_gives_the_same(two: Path, preset: Path, photos: Path, tmp_path: Path) -> None:
    words = [*folds(photos, tmp_path / "jobs", preset), "--jobs", "2"]
    subprocess.run([sys.executable, "-m", "training", *words], cwd=ROOT, check=True)
    first, again = np.load(two / "test_resnet" / "oof.npz"), np.load(tmp_path / "jobs" / "oof.npz")
    np.testing.assert_array_equal(first["logits"], again["logits"])


def test_a_fold_without_test_photos_can_be_compared_and_evaluated(
    preset: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "untested"
    assert main([*folds(photos, out, preset), "--dataset.test_fraction", "0"]) == 0
    assert not (out / "fold_1" / "test.npz").exists()
    assert main(["compare", str(out / "fold_1"), "--out", str(tmp_path / "compared")]) == 0
    assert main(["evaluate", "--model", str(out / "fold_1"), "--data", str(photos)]) == 0
    assert "fold_1, validation" in capsys.readouterr().out
