"""Evaluations at the edge: nothing set aside, nothing wrong, a class without photos, members that do not match."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.__main__ import main
from training.data.photos import Photo
from training.errors import ModelFolderError
from training.evaluation.charts import even_ticks
from training.evaluation.members import answers_of, average
from training.evaluation.report_page import Judged, evaluate
from training.evaluation.sections import Subject
from training.folder import Predictions
from training.tasks import ClassInfo, Task

TASK = Task(
    task="leaves",
    crop={"en": "leaf"},
    languages=["en"],
    classes=[
        ClassInfo(key=key, names={"en": key.title()}, advice={"en": "Look."}, source="none")
        for key in ("rust", "spot", "wilt")
    ],
)


def judged(tmp_path: Path, labels: list[int], said: list[int], part: str) -> Judged:
    """A member without a network whose answers are known."""
    names = [f"{index}.png" for index in range(len(labels))]
    photos = [Photo(name, tmp_path / name, label) for name, label in zip(names, labels, strict=True)]
    for index, photo in enumerate(photos):
        Image.new("RGB", (40, 30), (20 * index,) * 3).save(photo.path)
    stored = Predictions(
        5 * np.eye(3, dtype=np.float32)[said], np.array(labels, dtype=np.int64), np.array(names), "hash"
    )
    answers = answers_of("member", stored, stored if part == "test" else None)
    return Judged(TASK, [Subject(answers, [], {"Input": "40 pixels"})], {}, photos, part)


def test_figures_of_validation_photos_say_so_and_have_no_temperature(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    numbers = evaluate(judged(tmp_path, [0, 1, 2, 0], [0, 1, 1, 0], "validation"), None, 4, 0, page)
    assert numbers["calibration"]["after"] is None
    assert numbers["calibration"]["fitted_on"] is None
    text = page.read_text(encoding="utf-8")
    assert "There were no untouched test photos" in text
    assert "After temperature scaling" not in text


def test_nothing_wrong_and_a_class_without_photos(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    numbers = evaluate(judged(tmp_path, [0, 1, 0, 1], [0, 1, 0, 1], "test"), None, 4, 0, page)
    assert numbers["worst_mistakes"] == []
    assert set(numbers["roc_one_vs_rest"]) == {"rust", "spot"}
    assert numbers["metrics"]["f1_macro"] == 1
    text = page.read_text(encoding="utf-8")
    assert "The worst mistakes" not in text
    assert "There are no photos of Wilt: nothing is known of how well it is recognised" in text
    assert '<td role="cell" data-label="Recall">no photos</td>' in text


def test_photos_of_one_class_have_no_curves(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    numbers = evaluate(judged(tmp_path, [1, 1], [1, 0], "test"), None, 4, 0, page)
    assert numbers["metrics"]["auc_one_vs_rest_macro"] is None
    assert numbers["metrics"]["auc_one_vs_rest_macro_interval"] is None
    assert 'id="roc"' not in page.read_text(encoding="utf-8")


def test_members_of_other_photos_cannot_be_averaged(tmp_path: Path) -> None:
    one = judged(tmp_path, [0, 1], [0, 1], "test").subjects[0].answers
    other = judged(tmp_path, [0, 1, 2], [0, 1, 2], "test").subjects[0].answers
    with pytest.raises(ModelFolderError, match="differ in their photos"):
        average([one, other])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--views", "7"], "write 1 or 8"),
        (["--device", "tpu"], "device"),
        (["--model", "nowhere"], "nowhere is not a folder"),
    ],
    ids=["views", "device", "folder"],
)
def test_mistakes_on_the_command_line(
    member: Path, photos: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    assert main(["evaluate", "--model", str(member), "--data", str(photos), *options]) == 2
    assert says in capsys.readouterr().err


def test_two_folders_of_one_name_are_refused(
    member: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = tmp_path / member.name
    shutil.copytree(member, twin)
    assert main(["evaluate", "--model", str(member), "--model", str(twin), "--data", str(photos)]) == 2
    assert "same name" in capsys.readouterr().err


@pytest.mark.parametrize("highest", [0.0004, 0.97, 1.0, 1.93, 37.0, 0.0, float("inf")])
def test_axes_have_a_few_round_ticks_and_hold_everything(highest: float) -> None:
    ticks = even_ticks(highest)
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= 6
    assert ticks[-1] >= highest or not 0 < highest < float("inf")
    assert len({round(after - before, 9) for before, after in pairwise(ticks)}) == 1
