"""Which photos export takes: of all classes, and never fewer than were asked for without a word."""

from pathlib import Path

import numpy as np
import pytest
from pictures import textured

from export.errors import RefusalError
from export.members import Member, View
from export.networks import Outputs
from export.photos import sample_photos, spread
from export.predictions import Predictions
from export.refusal import RefusalOptions, groups_of

CLASSES = ("a_spot", "b_mould", "c_none")
PER_CLASS = 40


def silent(_line: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder a class; the same file names in each, and a shade a class."""
    folder = tmp_path_factory.mktemp("classes")
    for shade, name in enumerate(CLASSES):
        (folder / name).mkdir()
        for number in range(PER_CLASS):
            textured(8, 8, seed=number).point(lambda value, s=shade: s * 100 + value % 50).save(
                folder / name / f"{number:02d}.png"
            )
    return folder


@pytest.fixture
def member(photos: Path) -> Member:
    """As evaluation leaves it: ids are paths, sorted, and so are classes."""
    ids = tuple(sorted(p.relative_to(photos).as_posix() for p in photos.rglob("*.png")))
    stored = Predictions(np.zeros((len(ids), 3), np.float32), np.zeros(len(ids), np.int64), ids, "hash")
    view = View(8, 8, (0.5,), (0.5,), "bilinear", 1.0, "center")
    return Member("a", photos, "none", view, {"classes": [{}] * 3}, Outputs(2, None), stored, stored)


@pytest.mark.parametrize(
    ("count", "wanted"), [(0, []), (1, [0]), (3, [0, 3, 6]), (10, list(range(10))), (99, list(range(10)))]
)
def test_a_few_lie_evenly_among_all(count: int, wanted: list[int]) -> None:
    assert spread(range(10), count) == wanted


def test_check_photos_are_of_every_class(photos: Path) -> None:
    shades = {np.asarray(photo).max() // 100 for photo in sample_photos(photos, 6)}
    assert shades == {0, 1, 2}


def test_the_outlier_score_is_fitted_and_measured_on_every_class(photos: Path, member: Member) -> None:
    groups = groups_of(member, RefusalOptions(photos=photos, limit=36), silent)
    for part in ("validation", "test"):
        classes = [file.parent.name for file in groups[part]]
        assert len(classes) == 36
        assert {classes.count(name) for name in CLASSES} == {12}


def test_a_folder_without_the_validation_photos_is_said(tmp_path: Path, member: Member) -> None:
    textured(8, 8).save(tmp_path / "another.png")
    told: list[str] = []
    assert groups_of(member, RefusalOptions(photos=tmp_path), told.append) == {}
    assert told == [
        f"no outlier score is fitted: 0 of the {3 * PER_CLASS} validation photos lie in {tmp_path}, 30 are needed"
    ]


def test_negatives_that_nothing_would_be_made_of_are_refused(photos: Path, tmp_path: Path, member: Member) -> None:
    textured(8, 8).save(tmp_path / "another.png")
    with pytest.raises(RefusalError, match="say 30 validation photos in --photos, of which there are 0"):
        groups_of(member, RefusalOptions(photos=tmp_path, negatives=photos), silent)
    with pytest.raises(RefusalError, match="say --photos"):
        groups_of(member, RefusalOptions(negatives=photos), silent)
    with pytest.raises(RefusalError, match="name folders of --negatives"):
        groups_of(member, RefusalOptions(photos=photos, fitted_on=("car",)), silent)
