"""`predict` answers in the gateway's keys, agrees with what the model stored, and names what it cannot read."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from training.__main__ import main
from training.evaluation.calibration import fit_temperature, scaled

KEYS = {"predicted_class_id", "class_name", "confidence", "probabilities", "members"}


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["predict", *arguments]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def one_of(photos: Path) -> str:
    return str(sorted((photos / "train_images").iterdir())[0])


def test_a_photo_gives_the_gateway_s_keys(member: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask(capsys, one_of(photos), "--model", str(member))
    assert answer.keys() == KEYS
    names = [each["names"]["en"] for each in json.loads((member / "classes.json").read_text())["classes"]]
    assert list(answer["probabilities"]) == names
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert answer["class_name"] == names[answer["predicted_class_id"]]
    assert answer["confidence"] == max(answer["probabilities"].values())
    assert answer["members"] == [
        {
            "name": member.name,
            "predicted_class_id": answer["predicted_class_id"],
            "probabilities": answer["probabilities"],
        }
    ]


def test_only_the_likeliest_are_listed_when_asked(
    member: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = ask(capsys, one_of(photos), "--model", str(member))["probabilities"]
    best = ask(capsys, one_of(photos), "--model", str(member), "--top-k", "2")["probabilities"]
    assert list(best.items()) == sorted(whole.items(), key=lambda item: -item[1])[:2]


def test_a_folder_agrees_with_the_stored_predictions(member: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "below" / "answers.csv"
    assert main(["predict", str(photos / "train_images"), "--model", str(member), "--out", str(out)]) == 0
    with out.open(encoding="utf-8") as stream:
        rows = {row["file"]: row for row in csv.DictReader(stream)}
    assert len(rows) == 60
    with np.load(member / "validation.npz") as validation, np.load(member / "test.npz") as test:
        temperature = fit_temperature(validation["logits"], validation["labels"])
        expected = scaled(test["logits"], temperature)
        for image_id, probabilities in zip(test["image_ids"].tolist(), expected, strict=True):
            assert int(rows[image_id]["predicted_class_id"]) == probabilities.argmax()
            assert float(rows[image_id]["confidence"]) == pytest.approx(probabilities.max(), abs=1e-4)


def test_bad_files_are_rows(member: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in" / "below"
    folder.mkdir(parents=True)
    Image.new("RGB", (60, 40), "green").save(folder / "good.jpg")
    (folder / "cut.jpg").write_bytes((folder / "good.jpg").read_bytes()[:300])
    (folder / "notes, with a comma.txt").write_text("hello")
    (tmp_path / "in" / ".hidden").write_text("not looked at")
    assert main(["predict", str(tmp_path / "in"), "--model", str(member)]) == 0
    printed = capsys.readouterr()
    rows = {row["file"]: row for row in csv.DictReader(printed.out.splitlines())}
    assert rows.keys() == {"below/good.jpg", "below/cut.jpg", "below/notes, with a comma.txt"}
    assert rows["below/good.jpg"]["error"] == ""
    assert rows["below/good.jpg"]["confidence"]
    assert rows["below/cut.jpg"]["error"].startswith("truncated")
    assert rows["below/cut.jpg"]["class_name"] == ""
    assert "no image format" in rows["below/notes, with a comma.txt"]["error"]
    assert "1 photos answered, 2 files could not be read" in printed.err


def test_folder_without_any_photo_fails(member: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    assert main(["predict", str(tmp_path / "in"), "--model", str(member)]) == 2
    assert "holds no files" in capsys.readouterr().err
    (tmp_path / "in" / "text.jpg").write_text("hello")
    assert main(["predict", str(tmp_path / "in"), "--model", str(member)]) == 2


def test_several_members_are_averaged(
    member: Path, fit: Callable[..., int], photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = tmp_path / "second"
    assert fit(second, "--schedule.seed", "5", "--schedule.epochs", "1", "--model.input_size", "48") == 0
    capsys.readouterr()
    answer = ask(capsys, one_of(photos), "--model", str(member), "--model", str(second))
    assert [each["name"] for each in answer["members"]] == [member.name, "second"]
    for name, mean in answer["probabilities"].items():
        assert mean == pytest.approx(np.mean([each["probabilities"][name] for each in answer["members"]]), abs=2e-6)


def test_members_of_two_tasks_are_refused(
    member: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(member, other)
    text = (other / "classes.json").read_text(encoding="utf-8")
    (other / "classes.json").write_text(text.replace('"healthy"', '"fine"'), encoding="utf-8")
    assert main(["predict", one_of(photos), "--model", str(member), "--model", str(other)]) == 2
    assert "differ in their classes" in capsys.readouterr().err


def test_cuda_that_is_not_there_fails_before_anything_is_opened(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["predict", "no such photo", "--model", "no such model", "--device", "cuda"]) == 2
    assert "CUDA was asked for" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("photo", "says"), [("missing.jpg", "does not exist"), ("text.jpg", "text.jpg: unreadable: not a readable photo")]
)
def test_single_bad_photo_is_a_line_that_names_it(
    member: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], photo: str, says: str
) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    assert main(["predict", str(tmp_path / photo), "--model", str(member)]) == 2
    assert says in capsys.readouterr().err


def test_unwritable_file_is_said(
    member: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", one_of(photos), "--model", str(member), "--out", str(tmp_path)]) == 2
    assert "cannot be written" in capsys.readouterr().err
