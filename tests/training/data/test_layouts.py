"""Class folders, tables and label maps give the same kind of listing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.__main__ import main
from training.config.groups import DatasetConfig
from training.data.dataset import read_dataset, survey
from training.data.layouts import list_photos
from training.errors import DataLayoutError, LabelError
from training.tasks import load_task

FitCommand = Callable[..., int]


def write(path: Path, seed: int = 0) -> None:
    """One noisy picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng((seed, *path.name.encode())).integers(0, 255, (6, 8, 3), np.uint8)
    Image.fromarray(pixels).resize((64, 48), Image.Resampling.BICUBIC).save(path)


def folders(root: Path, classes: dict[str, int]) -> Path:
    """Class folders with so many pictures."""
    for seed, (name, count) in enumerate(classes.items()):
        for number in range(count):
            write(root / name / f"{number:02d}.png", seed)
    return root


def test_classes_are_read_off_folders(tmp_path: Path) -> None:
    root = folders(tmp_path / "bean field", {"Bean___rust": 3, "healthy": 2, ".cache": 1, "__MACOSX": 1})
    listing = list_photos(root, DatasetConfig(task="auto"))
    assert [(info.key, info.names["en"]) for info in listing.task.classes] == [
        ("bean_rust", "Bean: rust"),
        ("healthy", "Healthy"),
    ]
    assert listing.task.task == "bean_field"
    assert [photo.image_id for photo in listing.photos][:3] == [f"Bean___rust/{n:02d}.png" for n in range(3)]
    for info in listing.task.classes:
        assert "Nobody has written advice" in info.advice["en"]
        assert info.source.startswith("none")


def test_folders_are_matched_to_a_task_by_key_name_or_number(tmp_path: Path) -> None:
    root = folders(
        tmp_path,
        {"0": 1, "cassava brown-streak disease": 1, "cassava_green_mottle": 1, "Mosaïque du manioc": 1, "4": 1},
    )
    labels = {photo.image_id.split("/")[0]: photo.label for photo in list_photos(root, DatasetConfig()).photos}
    assert labels == {
        "0": 0,
        "cassava brown-streak disease": 1,
        "cassava_green_mottle": 2,
        "Mosaïque du manioc": 3,
        "4": 4,
    }


def test_a_label_map_translates_names(tmp_path: Path) -> None:
    root = folders(tmp_path, {"CBB": 1, "CBSD": 1, "HEALTY": 1})
    unknown = list_photos(folders(tmp_path / "more", {"healthy": 1, "CBB": 1}), DatasetConfig()).problems
    assert [(each.kind, each.path) for each in unknown] == [("unknown label", "CBB")]
    (root / "label_map.json").write_text('{"CBB": "cassava_bacterial_blight", "CBSD": 1, "HEALTY": "Healthy"}')
    listing = list_photos(root, DatasetConfig())
    assert [photo.label for photo in listing.photos] == [0, 1, 4]
    assert [each.path for each in listing.problems] == ["more"]


@pytest.mark.parametrize(
    ("text", "message"),
    [('{"CBB": "coffee_rust"}', "does not have"), ("[1]", "cannot be read"), ("{", "cannot be read")],
)
def test_a_wrong_label_map_is_refused(tmp_path: Path, text: str, message: str) -> None:
    root = folders(tmp_path, {"CBB": 1, "healthy": 1})
    (root / "label_map.json").write_text(text)
    with pytest.raises(LabelError, match=message):
        list_photos(root, DatasetConfig())


def test_tables_may_name_classes_and_leave_suffixes_out(own_photos: Path) -> None:
    table = own_photos / "train.csv"
    table.write_text(
        table.read_text()
        .replace("0_00.jpg,0", "0_00,cassava_bacterial_blight")
        .replace("4_00.jpg,4", "4_00.jpg,Healthy")
        .replace("1_00.jpg,1", "1_00.jpg,CBSD")
    )
    (own_photos / "label_map.json").write_text('{"CBSD": "cassava_brown_streak_disease"}')
    dataset = read_dataset(own_photos, DatasetConfig())
    assert dataset.problems == []
    labels = {photo.image_id: photo.label for photo in dataset.photos}
    assert (labels["0_00"], labels["1_00.jpg"], labels["4_00.jpg"]) == (0, 1, 4)


def test_the_label_map_of_a_table_gives_a_task(photos: Path) -> None:
    task = list_photos(photos, DatasetConfig(task="auto")).task
    assert task.names[3] == "Cassava Mosaic Disease (CMD)"
    assert task.classes[3].key == "cassava_mosaic_disease_cmd"


def test_a_task_file_in_the_folder_is_preferred(own_photos: Path) -> None:
    task = load_task("cassava").model_dump() | {"task": "my_cassava"}
    (own_photos / "task.json").write_text(json.dumps(task))
    assert list_photos(own_photos, DatasetConfig(task="auto")).task.task == "my_cassava"


def test_other_alphabets_and_near_namesakes(tmp_path: Path) -> None:
    root = folders(tmp_path / "поле", {"Кукуруза": 1, "Пшеница": 1, "été": 1, "2nd": 1})
    task = list_photos(root, DatasetConfig(task="auto")).task
    assert [info.key for info in task.classes] == ["class_2nd", "ete", "class_2", "class_3"]
    assert task.names[2:] == ["Кукуруза", "Пшеница"]
    folders(root, {"Ete": 1, "ÉTÉ": 1})
    with pytest.raises(LabelError, match="differ only in case"):
        list_photos(root, DatasetConfig(task="auto"))


def test_parts_are_not_taken_for_classes(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    for part in ("train", "valid"):
        folders(root / part, {"Sick": 2, "Sound": 2})
    with pytest.raises(DataLayoutError, match=r"--dataset\.train_subfolder train --dataset\.test_subfolder valid"):
        list_photos(root, DatasetConfig(task="auto"))
    listing = list_photos(root, DatasetConfig(task="auto", train_subfolder="train", test_subfolder="valid"))
    assert [info.key for info in listing.task.classes] == ["sick", "sound"]
    assert Counter(photo.image_id.split("/")[0] for photo in listing.photos) == {"train": 4, "valid": 4}
    assert {image_id.split("/")[0] for image_id in listing.test_ids} == {"valid"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_subfolder": "trian"}, "'trian', but .* holds train, valid"),
        ({"train_subfolder": ".."}, "name a folder in it"),
        ({"train_subfolder": "train", "test_subfolder": "train"}, "a folder apart"),
    ],
)
def test_wrong_subfolders(tmp_path: Path, options: dict[str, str], message: str) -> None:
    root = tmp_path / "cells"
    for part in ("train", "valid"):
        folders(root / part, {"Sick": 1, "Sound": 1})
    with pytest.raises(DataLayoutError, match=message):
        list_photos(root, DatasetConfig(task="auto", **options))  # type: ignore[arg-type]


def test_copies_of_test_photos_are_reported_and_not_learned(tmp_path: Path) -> None:
    folders(tmp_path / "train", {"Sick": 3, "Sound": 3})
    folders(tmp_path / "valid", {"Sick": 3, "Sound": 3})
    write(tmp_path / "valid" / "Sound" / "02.png", seed=9)
    config = DatasetConfig(task="auto", train_subfolder="train", test_subfolder="valid")
    dataset = survey(tmp_path, config)
    kinds = Counter(problem.kind for problem in dataset.problems)
    assert kinds["test photo in the training set"] == 5
    assert {photo.image_id for photo in dataset.photos if photo.image_id not in dataset.test_ids} == {
        "train/Sound/02.png"
    }


def test_limit_takes_photos_evenly_from_each_class(photos: Path) -> None:
    listing = list_photos(photos, DatasetConfig(limit=3))
    assert [photo.image_id for photo in listing.photos if photo.label == 2] == ["2_00.jpg", "2_04.jpg", "2_08.jpg"]
    assert len(listing.photos) == 15


def test_folders_train_with_their_own_classes(fit: FitCommand, tmp_path: Path) -> None:
    root = folders(tmp_path / "beans", {"rust": 12, "healthy": 12})
    assert fit(tmp_path / "out", "--dataset.task", "auto", "--schedule.epochs", "1", data=root) == 0
    written = json.loads((tmp_path / "out" / "classes.json").read_text())
    assert [info["key"] for info in written["classes"]] == ["healthy", "rust"]


def test_check_tells_of_the_test_folder_and_of_notes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, place in enumerate(("train/Sick", "train/Sound", "valid/Sick", "valid/Sound")):
        write(tmp_path / place / "one.png", seed)
    write(tmp_path / "train" / "loose.png")
    given = [
        "check",
        "--data",
        str(tmp_path),
        "--dataset.train_subfolder",
        "train",
        "--dataset.test_subfolder",
        "valid",
    ]
    assert main(given) == 0
    said = capsys.readouterr().out
    assert "4 usable photos of 2 classes" in said
    assert "2 of them in the own test folder valid" in said
    assert "not listed: train/loose.png: it lies in no class folder" in said
    assert main([*given, "--out", str(tmp_path / "train" / "loose.png" / "problems.csv")]) == 2
    assert "cannot be written" in capsys.readouterr().err
