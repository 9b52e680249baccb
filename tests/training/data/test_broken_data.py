"""Broken data of every kind: each file is named before training; training goes on with the rest only when asked to."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.__main__ import main
from training.config.groups import DatasetConfig
from training.data.checks import inspect
from training.data.dataset import read_dataset, survey
from training.data.photos import Fingerprint, Photo
from training.data.problems import Problem
from training.errors import DataProblemsError

FitCommand = Callable[..., int]
Damage = Callable[[Path], object]

ODD = Path(__file__).parents[3].parent / "shared" / "data" / "odd_images"
VICTIM = "train_images/1_03.jpg"


def rewrite(old: str, new: str) -> Damage:
    """Change the table's text."""

    def change(root: Path) -> None:
        table = root / "train.csv"
        assert old in table.read_text()
        table.write_text(table.read_text().replace(old, new))

    return change


def bytes_of(content: bytes) -> Damage:
    """Give the victim other bytes."""
    return lambda root: (root / VICTIM).write_bytes(content)


def cut(root: Path) -> None:
    """Leave the end of the victim out."""
    path = root / VICTIM
    path.write_bytes(path.read_bytes()[:400])


def cut_avif(root: Path) -> None:
    """An AVIF without its end, which decoders take."""
    path = root / VICTIM
    Image.effect_noise((200, 200), 90).save(path, "AVIF")
    path.write_bytes(path.read_bytes()[:-200])


def with_row(root: Path, name: str, label: str) -> None:
    """Add a row to the table."""
    with (root / "train.csv").open("a") as table:
        table.write(f"{name},{label}\n")


def copied(name: str, label: str) -> Damage:
    """Add a copy of the victim under another name."""

    def change(root: Path) -> None:
        shutil.copyfile(root / VICTIM, root / "train_images" / name)
        with_row(root, name, label)

    return change


def bomb(root: Path) -> None:
    """A PNG of a few kilobytes that would be 100 megapixels."""
    Image.new("1", (10_000, 10_000)).save(root / VICTIM, "PNG")


KINDS: dict[str, tuple[Damage, str, str, bool]] = {
    # what is done, kind that is reported, path that is named, whether it harms
    "gone": (lambda root: (root / VICTIM).unlink(), "missing", "train.csv:17", True),
    "a folder in its place": (
        lambda root: ((root / VICTIM).unlink(), (root / VICTIM).mkdir()), "missing", "train.csv:17", True
    ),
    "no bytes": (bytes_of(b""), "empty", VICTIM, True),
    "text": (bytes_of(b"<html>not found</html>"), "unreadable", VICTIM, True),
    "cut short": (cut, "truncated", VICTIM, True),
    "cut AVIF": (cut_avif, "truncated", VICTIM, True),
    "decompression bomb": (bomb, "unreadable", VICTIM, True),
    "tiny": (lambda root: Image.new("RGB", (31, 200)).save(root / VICTIM), "too small", VICTIM, True),
    "32 bits": (lambda root: Image.new("F", (64, 64)).save(root / VICTIM, "TIFF"), "unreadable", VICTIM, True),
    "label of words": (rewrite("1_03.jpg,1", "1_03.jpg,CMD"), "unknown label", "train.csv:17", True),
    "label out of range": (rewrite("1_03.jpg,1", "1_03.jpg,5"), "unknown label", "train.csv:17", True),
    "negative label": (rewrite("1_03.jpg,1", "1_03.jpg,-1"), "unknown label", "train.csv:17", True),
    "no label": (rewrite("1_03.jpg,1\n", "1_03.jpg\n"), "unknown label", "train.csv:17", True),
    "row twice": (rewrite("1_03.jpg,1", "1_03.jpg,1\n1_03.jpg,1"), "duplicate row", "train.csv:18", True),
    "row twice, other label": (rewrite("1_03.jpg,1", "1_03.jpg,1\n1_03.jpg,2"), "duplicate row", "train.csv:18", True),
    "unnamed row": (rewrite("1_03.jpg,1", ",1"), "missing", "train.csv:17", True),
    "odd name": (
        lambda root: with_row(root, '"ta\tb.jpg"', "1"), "odd name", "train.csv:62", True
    ),
    "leads out of the folder": (lambda root: with_row(root, "../train.csv", "1"), "missing", "train.csv:62", True),
    "same photo, other label": (
        copied("copy.jpg", "2"), "same photo with different labels", "train_images/copy.jpg", True
    ),
    "same photo twice": (copied("copy.jpg", "1"), "same photo twice", "train_images/copy.jpg", False),
    "no row": (rewrite("1_03.jpg,1\n", ""), "not listed", VICTIM, False),
    "class without photos": (
        lambda root: (root / "train.csv").write_text(
            "\n".join(row for row in (root / "train.csv").read_text().split() if not row.endswith(",4"))
        ),
        "empty", "healthy", True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", KINDS)
def test_each_kind_is_named_with_its_file(own_photos: Path, case: str) -> None:
    damage, kind, path, harmful = KINDS[case]
    damage(own_photos)
    problems = [problem for problem in survey(own_photos, DatasetConfig()).problems if problem.kind == kind]
    assert [(problem.path, problem.harmful) for problem in problems if problem.path == path] == [(path, harmful)]
    assert all(problem.detail and problem.advice for problem in problems)
    if harmful:
        with pytest.raises(DataProblemsError, match=r"dataset\.problems skip") as refused:
            read_dataset(own_photos, DatasetConfig())
        assert path in str(refused.value)


def test_nothing_is_reported_of_sound_data(photos: Path) -> None:
    dataset = read_dataset(photos, DatasetConfig())
    assert dataset.problems == []
    assert len(dataset.photos) == len(dataset.fingerprints) == 60


def damage_everything(root: Path) -> set[str]:
    """Several kinds at once; the ids that can no longer be used."""
    images = root / "train_images"
    (images / "0_00.jpg").unlink()
    (images / "1_00.jpg").write_bytes(b"")
    (images / "2_00.jpg").write_bytes((images / "2_00.jpg").read_bytes()[:300])
    (images / "3_00.jpg").write_text("no photo")
    rewrite("4_00.jpg,4", "4_00.jpg,9")(root)
    shutil.copyfile(images / "0_01.jpg", images / "1_01.jpg")
    return {"0_00.jpg", "1_00.jpg", "2_00.jpg", "3_00.jpg", "4_00.jpg", "0_01.jpg", "1_01.jpg"}


def test_training_stops_unless_asked_to_go_on(
    fit: FitCommand,
    own_photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    unusable = damage_everything(own_photos)
    assert fit(tmp_path / "out", data=own_photos) == 2
    said = capsys.readouterr().err
    assert "6 problems" in said  # the copy is one problem that names two files
    for name in unusable:
        assert name in said or name == "4_00.jpg"
    assert "train.csv:50: label '9' of 4_00.jpg" in said
    assert not (tmp_path / "out").exists()

    assert fit(tmp_path / "out", "--dataset.problems", "skip", "--schedule.epochs", "1", data=own_photos) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["data"]["photos"] == 60 - len(unusable)
    assert "6 problems, left out: " in caplog.text
    assert "53 photos remain" in caplog.text
    with (tmp_path / "out" / "data_problems.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 6


def test_check_lists_everything_and_writes_it(
    own_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unusable = damage_everything(own_photos)
    table = tmp_path / "reports" / "problems.csv"
    assert main(["check", "--data", str(own_photos), "--dataset.task", "cassava", "--out", str(table)]) == 2
    said = capsys.readouterr().out
    assert f"{60 - len(unusable)} usable photos of 5 classes" in said
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["kind"], row["path"]) for row in rows} == {
        ("missing", "train.csv:2"),
        ("empty", "train_images/1_00.jpg"),
        ("truncated", "train_images/2_00.jpg"),
        ("unreadable", "train_images/3_00.jpg"),
        ("unknown label", "train.csv:50"),
        ("same photo with different labels", "train_images/1_01.jpg"),
    }
    assert {row["harmful"] for row in rows} == {"yes"}
    assert all(row["path"] in said for row in rows)


def test_check_of_sound_data_says_so(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--data", str(photos)]) == 0
    said = capsys.readouterr().out
    assert "60 usable photos of 5 classes (task data)" in said  # classes read off the label map
    assert "No problems." in said


def test_many_problems_of_a_kind_are_cut_short_on_screen(own_photos: Path) -> None:
    for number in range(60):
        with_row(own_photos, f"gone_{number:02d}.jpg", "1")
    with pytest.raises(DataProblemsError, match=r"missing: 20 more; `python -m training check --out") as refused:
        read_dataset(own_photos, DatasetConfig())
    assert len(refused.value.problems) == 60


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: (root / "train.csv").unlink(), "train.csv does not exist"),
        (lambda root: (root / "train.csv").write_text("image_id,label\n"), "lists no photos"),
        (rewrite("image_id,label", "image_id,disease"), "lacks the column label"),
        (rewrite("image_id,label", "image_id;label"), "lacks the column image_id, label"),
        (lambda root: (root / "train.csv").write_bytes(b"image_id,label\n\xff\xfe,1\n"), "as UTF-8 CSV"),
        (lambda root: (root / "train.csv").write_text('image_id,label\n"1_03.jpg,1\n'), "as UTF-8 CSV"),
        (lambda root: shutil.rmtree(root), "does not exist"),
        (lambda root: shutil.rmtree(root / "train_images"), "lists no photos that can be used"),
    ],
)  # fmt: skip
def test_what_leaves_nothing_to_read_is_said_in_a_line(
    own_photos: Path, capsys: pytest.CaptureFixture[str], damage: Damage, message: str
) -> None:
    damage(own_photos)
    assert main(["check", "--data", str(own_photos), "--dataset.task", "cassava"]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(own_photos: Path) -> None:
    (own_photos / VICTIM).chmod(0)
    assert [(each.kind, each.path) for each in survey(own_photos, DatasetConfig()).problems] == [("unreadable", VICTIM)]


def test_a_link_to_nowhere_is_missing(tmp_path: Path) -> None:
    for name in ("rust", "healthy"):
        (tmp_path / name).mkdir()
        Image.effect_noise((64, 64), 90).save(tmp_path / name / "one.png")
    (tmp_path / "rust" / "two.png").symlink_to(tmp_path / "nowhere.png")
    found = survey(tmp_path, DatasetConfig(task="auto")).problems
    assert [(each.kind, each.path) for each in found] == [("missing", "rust/two.png")]


@pytest.mark.skipif(not ODD.is_dir(), reason="../shared/data/odd_images is not on this machine")
def test_awkward_files_are_read_or_named_and_never_end_the_run(tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "other").mkdir()
    for path in ODD.iterdir():
        shutil.copyfile(path, tmp_path / "odd" / path.name)
    Image.new("RGB", (64, 64), "green").save(tmp_path / "other" / "one.png")
    dataset = survey(tmp_path, DatasetConfig(task="auto"))
    named = {Path(each.path).name: each.kind for each in dataset.problems}
    assert named == {
        "LICENSE.pillow": "not listed",
        "broken.png": "unreadable",
        "broken_data_stream.png": "unreadable",
        "decompression_bomb.gif": "unreadable",
        "decompression_bomb.ico": "unreadable",
        "truncated_image.png": "truncated",
        "truncated_jpeg.jpg": "truncated",
        "black_and_white.ico": "too small",
        "comment.jp2": "too small",
        "exif_gps.jpg": "too small",
        "hopper.ico": "too small",
    }
    assert len(dataset.photos) == 1 + len(list(ODD.iterdir())) - len(named)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP", "JPEG2000"])
def test_bytes_gone_wrong_are_a_problem_or_a_photo_but_never_a_crash(tmp_path: Path, form: str) -> None:
    random = np.random.default_rng(0)
    encoded = io.BytesIO()
    Image.fromarray(random.integers(0, 255, (40, 50, 3), np.uint8)).save(encoded, form)
    whole = encoded.getvalue()
    path = tmp_path / "victim"
    found = []
    for attempt in range(30):
        content = bytearray(whole[: random.integers(1, len(whole))] if attempt % 2 else whole)
        for place in random.integers(0, len(content), attempt):
            content[place] = random.integers(256)
        path.write_bytes(content)
        found.append(inspect(Photo("victim", path, 0), "victim"))
    assert isinstance(found[0], Fingerprint)  # nothing was changed yet
    assert {each.kind for each in found if isinstance(each, Problem)} & {"truncated", "unreadable"}
