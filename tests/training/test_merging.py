"""Base data and confirmed feedback become one data folder."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from tinted_photos import make_photos

from training.__main__ import main


def merged(out: Path, *folders: Path) -> int:
    """Run the command."""
    given = [word for folder in folders for word in ("--data", str(folder))]
    return main(["merge", *given, "--out", str(out)])


def rows(folder: Path) -> dict[str, int]:
    """Labels by image id."""
    with (folder / "train.csv").open(newline="") as file:
        return {row["image_id"]: int(row["label"]) for row in csv.DictReader(file)}


def feedback(base: Path, folder: Path, photos: dict[str, tuple[str, int]]) -> Path:
    """A folder of photos of the base data, by new name: (old name, label)."""
    (folder / "train_images").mkdir(parents=True)
    lines = ["image_id,label"]
    for name, (old, label) in photos.items():
        shutil.copyfile(base / "train_images" / old, folder / "train_images" / name)
        lines.append(f"{name},{label}")
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_what_was_confirmed_later_corrects_what_was_there(
    photos: Path, own_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    confirmed = feedback(photos, tmp_path / "feedback", {"a1b2.jpg": ("1_03.jpg", 4)})
    assert merged(tmp_path / "out", photos, confirmed) == 0
    assert f"59 photos from {photos}\n1 photos from {confirmed}" in capsys.readouterr().out
    before, after = rows(photos), rows(tmp_path / "out")
    assert after.pop("a1b2.jpg") == 4
    assert before.pop("1_03.jpg") == 1
    assert after == before
    assert {path.name for path in (tmp_path / "out" / "train_images").iterdir()} == {"a1b2.jpg", *after}


def test_other_photos_of_the_same_name_are_kept_apart(photos: Path, tmp_path: Path) -> None:
    other = make_photos(tmp_path / "other", per_class=1)
    (other / "train_images" / "0_00.jpg").write_bytes((photos / "train_images" / "2_05.jpg").read_bytes())
    with (other / "train_images" / "1_00.jpg").open("ab") as file:
        file.write(b"\x00")  # another file, that looks the same
    assert merged(tmp_path / "out", photos, other) == 0
    after = rows(tmp_path / "out")
    assert after["1-1_00.jpg"] == after["1_00.jpg"] == 1
    assert after["1-0_00.jpg"] == 0
    assert "2_05.jpg" not in after
    assert len(after) == 64


def test_an_existing_folder_is_not_touched(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("kept")
    assert merged(tmp_path, photos, photos) == 2
    assert "is not touched" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_damaged_folder_leaves_nothing(photos: Path, own_photos: Path, tmp_path: Path) -> None:
    (own_photos / "train_images" / "0_00.jpg").unlink()
    assert merged(tmp_path / "new" / "out", photos, own_photos) == 2
    assert not (tmp_path / "new").exists()
