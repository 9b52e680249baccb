"""The split is stratified, reproducible and shared; photos of one thing never straddle; files keep it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.config.groups import DatasetConfig
from training.data.dataset import Dataset, read_dataset
from training.data.groups import duplicate_groups, hamming, near_pairs
from training.data.photos import Fingerprint, Photo
from training.data.split import Split, fold_splits, read_split, split_dataset, write_split
from training.errors import SplitError
from training.tasks import load_task

FitCommand = Callable[..., int]

REAL = Path(__file__).parents[3].parent / "shared" / "data"


def config(**changes: object) -> DatasetConfig:
    """The tiny preset's shares."""
    return DatasetConfig(**{"validation_fraction": 0.2, "test_fraction": 0.25, **changes})  # type: ignore[arg-type]


def split(root: Path, **changes: object) -> Split:
    """Read and divide."""
    return split_dataset(read_dataset(root, config(**changes)), config(**changes))


def made(labels: list[int], hashes: list[int] | None = None, test: frozenset[str] = frozenset()) -> Dataset:
    """A data set of photos that are nowhere, with perceptual hashes given as numbers; all different otherwise."""
    random = np.random.default_rng(0)
    photos = [Photo(f"{number:04d}.jpg", Path(f"{number:04d}.jpg"), label) for number, label in enumerate(labels)]
    if hashes is None:
        bits = random.integers(0, 2, (len(labels), 64)).astype(bool)
    else:
        bits = np.array([[number >> place & 1 for place in range(64)] for number in hashes], dtype=bool)
    prints = [Fingerprint(f"{number:064x}", row, 64, 48) for number, row in enumerate(bits)]
    return Dataset(load_task("malaria_cells"), photos, prints, test, [], "")


def test_every_photo_is_used_once_and_every_class_is_everywhere(photos: Path) -> None:
    parts = split(photos)
    ids = [photo.image_id for part in (parts.train, parts.validation, parts.test) for photo in part]
    assert sorted(ids) == sorted(path.name for path in (photos / "train_images").iterdir())
    for part in (parts.train, parts.validation, parts.test):
        assert Counter(photo.label for photo in part).keys() == set(range(5))


def test_hash_follows_the_split(photos: Path) -> None:
    assert split(photos).hash == split(photos).hash
    assert split(photos).hash != split(photos, split_seed=1).hash


@pytest.mark.parametrize("fraction", [0.05, 0.3, 0.4])
def test_shares_are_those_asked_for(fraction: float) -> None:
    sizes = split_dataset(made([0, 1] * 100), config(test_fraction=fraction, validation_fraction=0.1)).sizes
    assert sizes["test"] == pytest.approx(200 * fraction, abs=4)
    assert sizes["validation"] == pytest.approx(20, abs=9)  # of at most ten folds of the rest


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


def test_groups_are_chains_within_the_distance() -> None:
    prints = made([0] * 5, [0b0, 0b11, 0b1111, 0b11111111, 1 << 60]).fingerprints
    assert len(set(duplicate_groups(prints, 2)[:3].tolist())) == 1
    assert duplicate_groups(prints, 2)[3] not in duplicate_groups(prints, 2)[:3]
    assert len(np.unique(duplicate_groups(prints, 0))) == 5
    first, second = near_pairs(prints, 2)
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 1), (0, 4), (1, 2)]
    assert hamming(prints, first, second).tolist() == [2, 1, 2]


def test_names_hold_photos_together() -> None:
    prints = made([0] * 4).fingerprints
    groups = duplicate_groups(prints, 0, ["plant 1", "plant 2", "plant 1", "plant 3"])
    assert groups[0] == groups[2]
    assert len(set(groups.tolist())) == 3


def test_a_pattern_keeps_shots_of_one_thing_together(photos: Path) -> None:
    parts = split(photos, group_pattern=r"(\d)\.jpg")  # 0_03.jpg and 1_03.jpg are of one plant
    plants = [{photo.image_id[3] for photo in part} for part in (parts.train, parts.validation, parts.test)]
    assert sum(map(len, plants)) == len(set.union(*plants)) == 10
    with pytest.raises(SplitError, match=r"50 of 60 .* what dataset\.group_pattern"):
        split(photos, group_pattern=r"_(\d)")


def test_a_pattern_that_finds_nothing_is_named(photos: Path) -> None:
    with pytest.raises(SplitError, match=r"finds nothing in 60 image ids, such as 0_00\.jpg"):
        split(photos, group_pattern="patient")


def test_a_chain_larger_than_what_is_held_out_is_refused() -> None:
    data = made([0, 1] * 50, [0] * 60 + [3**k % 2**64 for k in range(40, 80)])
    with pytest.raises(SplitError, match=r"60 of 100 photos form one chain .* Lower dataset\.duplicate_distance"):
        split_dataset(data, config())
    with pytest.raises(SplitError, match="one chain"):
        fold_splits(data, config(test_fraction=0))


def test_folds_share_the_test_photos_and_take_turns(photos: Path) -> None:
    data = read_dataset(photos, config(folds=3))
    folds = fold_splits(data, config(folds=3))
    assert len(folds) == 3
    assert len({tuple(photo.image_id for photo in fold.test) for fold in folds}) == 1
    assert {photo.image_id for photo in folds[0].test} == {photo.image_id for photo in split(photos).test}
    held = [photo.image_id for fold in folds for photo in fold.validation]
    assert len(held) == len(set(held)) == 60 - len(folds[0].test)
    for fold in folds:
        ids = [photo.image_id for part in (fold.train, fold.validation, fold.test) for photo in part]
        assert len(set(ids)) == 60
        assert {photo.label for photo in fold.validation} == set(range(5))


def test_folds_may_do_without_test_photos(photos: Path) -> None:
    changed = config(folds=4, test_fraction=0)
    data = read_dataset(photos, changed)
    folds = fold_splits(data, changed)
    assert all(fold.test == [] for fold in folds)
    assert sum(len(fold.validation) for fold in folds) == 60
    with pytest.raises(SplitError, match="nothing would be left to test on"):
        split_dataset(data, changed)


def test_an_own_test_folder_stays_whole_and_apart() -> None:
    labels = [0, 1] * 40
    hashes = [7**k % 2**61 for k in range(2, 82)]
    hashes[0] = hashes[70]  # a training photo that looks like a test photo
    data = made(labels, hashes, frozenset(f"{number:04d}.jpg" for number in range(60, 80)))
    parts = split_dataset(data, config(duplicate_distance=0, validation_fraction=0.1))
    assert {photo.image_id for photo in parts.test} == data.test_ids
    assert [photo.image_id for photo in parts.left_out] == ["0000.jpg"]
    assert len(parts.train) + len(parts.validation) == 59
    for fold in fold_splits(data, config(duplicate_distance=0)):
        assert {photo.image_id for photo in fold.test} == data.test_ids


def test_training_photos_that_are_mostly_like_test_photos_are_refused() -> None:
    data = made([0, 1] * 40, None, frozenset(f"{number:04d}.jpg" for number in range(60, 80)))
    with pytest.raises(SplitError, match=r"60 of 60 training photos .* dataset\.group_pattern \(now '0'\)"):
        split_dataset(data, config(group_pattern="0"))


def test_a_split_file_brings_the_split_back(photos: Path, tmp_path: Path) -> None:
    data = read_dataset(photos, config())
    first = split_dataset(data, config())
    write_split(first, tmp_path / "splits" / "mine.csv")
    assert read_split(tmp_path / "splits" / "mine.csv", data) == Split(
        *(sorted(part, key=lambda photo: photo.image_id) for part in (first.train, first.validation, first.test)),
        first.groups,
    )
    again = split_dataset(data, config(split_file=str(tmp_path / "splits" / "mine.csv"), split_seed=9))
    assert again.hash == first.hash
    lines = (tmp_path / "splits" / "mine.csv").read_text().splitlines()
    assert lines[0] == f"# split sha256 {first.hash} groups {first.groups}"
    assert lines[1] == "image_id,label,part"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",validation\n", ",train\n", "it was changed"),
        ("0_00.jpg,0", "0_00.jpg,1", "has label 0, not 1"),
        ("0_00.jpg,0", "gone.jpg,0", "names gone.jpg .* is missing"),
        ("# split sha256 ", "# split ", "it was changed"),
        ("image_id,label,part", "a,b,c", "cannot be read"),
        (",train\n", ",practice\n", "practice"),
    ],
)
def test_a_changed_split_file_is_refused(photos: Path, tmp_path: Path, old: str, new: str, message: str) -> None:
    data = read_dataset(photos, config())
    path = tmp_path / "mine.csv"
    write_split(split_dataset(data, config()), path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(SplitError, match=message):
        read_split(path, data)


def test_a_missing_split_file_is_named(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match=r"none\.csv cannot be read"):
        split(photos, split_file=str(tmp_path / "none.csv"))


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
    rows = [row for row in table.read_text().splitlines() if not row.endswith(",2")]
    table.write_text("\n".join([*rows, "2_00.jpg,2"]))
    assert fit(tmp_path / "out", data=own_photos) == 2
    assert "No photo of class 2 (cassava_green_mottle)" in capsys.readouterr().err


def test_too_few_photos_to_divide(photos: Path) -> None:
    with pytest.raises(SplitError, match="cannot be split"):
        split_dataset(made([0, 1]), config())


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is not on this machine")
def test_demo_members_were_trained_on_this_split() -> None:
    from training.config.command_line import configuration
    from training.config.presets import load_presets

    members = sorted((Path(__file__).parents[3] / "demo" / "members").glob("*/report.json"))
    configs = [configuration(load_presets(name)).dataset for name in ("demo_cnn", "demo_narrow")]
    data = read_dataset(REAL / "cassava", configs[0])
    hashes = {split_dataset(data, each).hash for each in configs}
    assert hashes | {json.loads(path.read_text())["split"]["hash"] for path in members} == hashes
    assert len(hashes) == 1


@pytest.mark.long
@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is not on this machine")
def test_cells_are_too_alike_for_the_usual_distance() -> None:
    from training.config.command_line import configuration
    from training.config.presets import load_presets

    cells = configuration(load_presets("malaria_cnn")).dataset
    data = read_dataset(REAL / "malaria_cells", cells)
    parts = split_dataset(data, cells)
    assert (parts.sizes["test"], len(parts.left_out)) == (2000, 1)
    with pytest.raises(SplitError, match=r"14\d\d of 10000 training photos .*duplicate_distance \(now 4 of 64 bits"):
        split_dataset(data, cells.model_copy(update={"duplicate_distance": 4}))
    by_patient = configuration(load_presets("malaria_by_patient")).dataset
    parts = split_dataset(read_dataset(REAL / "malaria_cells", by_patient), by_patient)
    assert parts.groups <= 200
