"""The split is stratified, reproducible and shared; near-duplicates never straddle."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.config.groups import DatasetConfig
from training.data.photos import fingerprint, read_photos
from training.data.split import Split, split_photos
from training.tasks import load_task

FitCommand = Callable[..., int]

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "cassava"


def split(root: Path, **changes: float) -> Split:
    listed = read_photos(root, load_task("cassava"))
    config = DatasetConfig(**{"validation_fraction": 0.2, "test_fraction": 0.25, **changes})  # type: ignore[arg-type]
    return split_photos(listed, [fingerprint(photo.path) for photo in listed], config)


def test_every_photo_is_used_once_and_every_class_is_everywhere(photos: Path) -> None:
    parts = split(photos)
    ids = [photo.image_id for part in (parts.train, parts.validation, parts.test) for photo in part]
    assert sorted(ids) == sorted(path.name for path in (photos / "train_images").iterdir())
    for part in (parts.train, parts.validation, parts.test):
        assert Counter(photo.label for photo in part).keys() == set(range(5))


def test_hash_follows_the_split(photos: Path) -> None:
    assert split(photos).hash == split(photos).hash
    assert split(photos).hash != split(photos, split_seed=1).hash


def test_near_duplicates_never_straddle(own_photos: Path) -> None:
    table = own_photos / "train.csv"
    rows = table.read_text().splitlines()
    for name in [row.split(",")[0] for row in rows[1:]]:  # a darker, recompressed copy of every photo
        copy = Image.open(own_photos / "train_images" / name).point(lambda value: value * 0.9)
        copy.save(own_photos / "train_images" / f"copy_{name}", quality=85)
        rows.append(f"copy_{name},{name[0]}")
    table.write_text("\n".join(rows))
    parts = split(own_photos)
    assert parts.groups <= 60
    for part in (parts.train, parts.validation, parts.test):
        ids = {photo.image_id for photo in part}
        assert {name.removeprefix("copy_") for name in ids} == {name for name in ids if not name.startswith("copy_")}


def test_members_with_other_inputs_share_the_split(fit: FitCommand, member: Path, tmp_path: Path) -> None:
    other = ["--model.architecture", "test_convnext", "--model.input_size", "48", "--schedule.epochs", "1"]
    assert fit(tmp_path / "other", *other) == 0
    for part in ("validation", "test"):
        with np.load(member / f"{part}.npz") as first, np.load(tmp_path / "other" / f"{part}.npz") as second:
            assert str(first["split_hash"]) == str(second["split_hash"])
            assert first["image_ids"].tolist() == second["image_ids"].tolist()


def test_a_class_too_small_to_divide_is_named(
    fit: FitCommand, own_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = own_photos / "train.csv"
    table.write_text(
        "\n".join(row for row in table.read_text().splitlines() if not row.startswith("2_") or row[3] < "1")
    )
    rows = [row for row in table.read_text().splitlines() if not row.endswith(",2")]
    table.write_text("\n".join([*rows, "2_00.jpg,2"]))
    assert fit(tmp_path / "out", data=own_photos) == 2
    assert "class 2" in capsys.readouterr().err


def test_too_few_photos_to_divide(
    fit: FitCommand, own_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_photos / "train.csv").write_text("image_id,label\n0_00.jpg,0\n1_00.jpg,1\n")
    assert fit(tmp_path / "out", data=own_photos) == 2
    assert "cannot be split" in capsys.readouterr().err


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data/cassava is not on this machine")
def test_demo_members_were_trained_on_this_split() -> None:
    from training.config.groups import TrainingConfig
    from training.config.presets import load_presets

    members = sorted((Path(__file__).parents[2] / "demo" / "members").glob("*/report.json"))
    listed = read_photos(REAL, load_task("cassava"))
    fingerprints = [fingerprint(photo.path) for photo in listed]
    hashes = {
        split_photos(listed, fingerprints, TrainingConfig(**load_presets(name)).dataset).hash
        for name in ("demo_cnn", "demo_hybrid")
    }
    assert hashes | {json.loads(path.read_text())["split"]["hash"] for path in members} == hashes
    assert len(hashes) == 1
