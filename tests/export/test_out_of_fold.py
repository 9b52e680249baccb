"""Thresholds from out-of-fold answers: fitted on more photos than validation has, and never on test photos."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from processes import ROOT

from export.calibration import calibrate
from export.configuration import from_text
from export.errors import MemberError, MembersDisagreeError
from export.facts import release_facts
from export.gates import DEFAULTS, Gates
from export.judging import judge_coverage
from export.members import Member, check_together, read_member
from export.thresholds import prediction_set_probability

NAMES = ("small_cnn", "small_vit")
DEMO = ROOT / "demo"
CLASSES = 5
PHOTOS = 300


def store(folder: Path, seed: int, photos: int = PHOTOS, first: int = 100, split_hash: str = "folds") -> None:
    """Out-of-fold answers, less sure than those of the other parts, of photos that neither of these has."""
    labels = np.random.default_rng(7).integers(0, CLASSES, photos)
    logits = np.random.default_rng(seed).normal(size=(photos, CLASSES)) + np.eye(CLASSES)[labels]
    np.savez(
        folder / "oof.npz",
        logits=logits.astype(np.float32),
        labels=labels,
        image_ids=np.array([f"{first + i}.jpg" for i in range(photos)]),
        split_hash=np.array(split_hash),
    )


@pytest.fixture
def folders(trained: Path, tmp_path: Path) -> Path:
    """Both members, each with out-of-fold answers of its own folds."""
    copy = shutil.copytree(trained, tmp_path / "members")
    for seed, name in enumerate(NAMES):
        store(copy / name, seed, split_hash=f"folds of {name}")
    return copy


def read(folders: Path) -> list[Member]:
    """Both members, as a release takes them."""
    members = [read_member(folders / name) for name in NAMES]
    check_together(members)
    return members


def test_thresholds_are_fitted_on_them_with_the_calibration_of_the_release(folders: Path) -> None:
    members = read(folders)
    calibration = calibrate(members, "equal")
    assert all(temperature != 1 for temperature in calibration.temperatures)
    facts = release_facts(1, members, calibration, 0.8)
    stored = [member.out_of_fold for member in members if member.out_of_fold is not None]
    expected = prediction_set_probability(calibration.probabilities(stored), stored[0].labels, 0.8)
    assert facts["thresholds"] == {
        "coverage": 0.8,
        "prediction_set_probability": expected,
        "fitted_on": {"predictions": "out_of_fold", "photos": PHOTOS},
    }
    assert facts["reference"]["photos"] == 40  # what the release itself answers
    assert facts["metrics"]["test_photos"] == 40


def test_without_them_validation_photos_are_fitted_on(trained: Path) -> None:
    members = read(trained)
    said = release_facts(1, members, calibrate(members, "equal"), 0.9)["thresholds"]
    assert said["fitted_on"] == {"predictions": "validation", "photos": 40}


def test_coverage_is_still_judged_on_test_photos(folders: Path) -> None:
    members = read(folders)
    calibration = calibrate(members, "equal")
    facts = release_facts(1, members, calibration, 0.8)
    gates = Gates({"coverage": None})
    judge_coverage(gates, members, calibration, facts["thresholds"])
    (verdict,) = gates.verdicts
    assert verdict.figure == pytest.approx(abs(facts["metrics"]["prediction_set_coverage"] - 0.8), abs=1e-4)


def test_only_one_member_with_them_is_refused(folders: Path) -> None:
    (folders / "small_vit" / "oof.npz").unlink()
    with pytest.raises(MembersDisagreeError, match=r"Only one of small_cnn and small_vit has oof\.npz"):
        read(folders)


@pytest.mark.parametrize("given", [{"photos": 299}, {"first": 101}], ids=["fewer", "others"])
def test_answers_to_other_photos_are_refused(folders: Path, given: dict[str, int]) -> None:
    store(folders / "small_vit", 1, **given)  # type: ignore[arg-type]
    with pytest.raises(MembersDisagreeError, match=r"oof\.npz of small_vit and of small_cnn are about other photos"):
        read(folders)


def test_test_photos_among_them_are_refused(folders: Path) -> None:
    store(folders / "small_cnn", 0, first=39)
    with pytest.raises(MemberError, match=r"oof\.npz holds 1 photos of test\.npz, such as 39\.jpg"):
        read(folders)


def test_damaged_ones_are_named(folders: Path) -> None:
    (folders / "small_cnn" / "oof.npz").write_bytes(b"no archive")
    with pytest.raises(MemberError, match=r"oof\.npz is damaged"):
        read(folders)


def test_the_demo_s_release_is_fitted_on_them_and_keeps_its_coverage() -> None:
    members = [read_member(folder) for folder in sorted((DEMO / "members").iterdir())]
    check_together(members)
    facts = release_facts(1, members, calibrate(members, "equal"), 0.9)
    config = from_text((DEMO / "model_repository" / "leaf_ensemble_1" / "config.pbtxt").read_text(encoding="utf-8"))
    committed = {key: json.loads(config.parameters[key].string_value) for key in ("thresholds", "metrics")}
    assert committed["thresholds"]["fitted_on"] == {"predictions": "out_of_fold", "photos": 805}
    least = facts["thresholds"]["prediction_set_probability"]
    assert committed["thresholds"]["prediction_set_probability"] == pytest.approx(least, rel=1e-6)
    covered = committed["metrics"]["prediction_set_coverage"]
    assert facts["metrics"]["prediction_set_coverage"] == covered
    assert abs(covered - 0.9) <= DEFAULTS["coverage"]
    assert f"hold the truth on {covered:.1%}".replace("%", " %") in (DEMO / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_a_threshold_from_many_photos_scatters_less() -> None:
    """What the answers of the folds are for: the same answers, of 100 photos and of 800, then coverage on new photos."""
    rng = np.random.default_rng(0)
    missed: dict[int, list[float]] = {100: [], 800: []}
    for _ in range(60):
        labels = rng.integers(0, CLASSES, 1800)
        logits = rng.normal(size=(1800, CLASSES)) + 1.5 * np.eye(CLASSES)[labels]
        probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        new = probabilities[800:][np.arange(1000), labels[800:]]
        for photos, found in missed.items():
            threshold = prediction_set_probability(probabilities[:photos], labels[:photos], 0.9)
            found.append(abs(float((new >= threshold).mean()) - 0.9))
    assert np.mean(missed[800]) < 0.6 * np.mean(missed[100])
