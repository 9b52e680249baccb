"""`evaluate` opens a folder again, and says what is wrong with a bad one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.__main__ import main


def evaluate(model: Path, data: Path, *more: str) -> int:
    return main(["evaluate", "--model", str(model), "--data", str(data), *more])


def test_json_agrees_with_the_report(member: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(member, photos, "--json", "true") == 0
    found = json.loads(capsys.readouterr().out)
    report = json.loads((member / "report.json").read_text())
    assert found[member.name]["test"]["f1_macro"] == pytest.approx(report["metrics"]["test"]["f1_macro"])
    assert found[member.name]["validation"]["largest_logit_difference"] < 1e-5


def test_table_names_each_class(member: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(member, photos) == 0
    out = capsys.readouterr().out
    assert "F1 (macro)" in out
    assert "recall cassava_mosaic_disease" in out


def test_photos_of_another_set_are_refused(member: Path, own_photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with np.load(member / "validation.npz") as stored:
        gone = str(stored["image_ids"][0])
    table = own_photos / "train.csv"
    table.write_text("\n".join(line for line in table.read_text().splitlines() if not line.startswith(gone)))
    assert evaluate(member, own_photos) == 2
    assert gone in capsys.readouterr().err


def test_average_of_two_members(
    member: Path, fit: Callable[..., int], photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = tmp_path / "second"
    assert fit(second, "--schedule.seed", "5", "--schedule.epochs", "1") == 0
    capsys.readouterr()
    assert (
        main(["evaluate", "--model", str(member), "--model", str(second), "--data", str(photos), "--json", "true"]) == 0
    )
    average = json.loads(capsys.readouterr().out)["average"]["test"]
    probabilities = []
    for folder in (member, second):
        with np.load(folder / "test.npz") as stored:
            exponentials = np.exp(stored["logits"] - stored["logits"].max(axis=1, keepdims=True))
            probabilities.append(exponentials / exponentials.sum(axis=1, keepdims=True))
            labels = stored["labels"]
    hits = sum(probabilities).argmax(axis=1) == labels  # type: ignore[attr-defined]
    assert average["accuracy_micro"] == pytest.approx(hits.mean())


@pytest.mark.parametrize("change", ["split", "classes"])
def test_members_that_do_not_belong_together(
    member: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(member, folder)
    if change == "split":
        with np.load(folder / "test.npz") as stored:
            np.savez(folder / "test.npz", **{**stored, "split_hash": np.str_("another")})
    else:
        text = (folder / "classes.json").read_text(encoding="utf-8")
        (folder / "classes.json").write_text(text.replace('"healthy"', '"fine"'), encoding="utf-8")
    assert main(["evaluate", "--model", str(member), "--model", str(folder), "--data", str(photos)]) == 2
    assert "differ" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "classes.json", "test.npz"])
@pytest.mark.parametrize("damage", ["missing", "garbage"])
def test_damaged_folder_names_the_file(
    member: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, damage: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(member, folder)
    if damage == "missing":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(b"not what it should be")
    assert evaluate(folder, photos) == 2
    assert str(folder) in capsys.readouterr().err


def test_arrays_of_different_length_are_refused(
    member: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(member, folder)
    with np.load(folder / "test.npz") as stored:
        arrays = dict(stored)
    np.savez(folder / "test.npz", **{**arrays, "labels": arrays["labels"][:-1]})
    assert evaluate(folder, photos) == 2
    assert "differ in length" in capsys.readouterr().err
