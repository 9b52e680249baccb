"""What the gate lets through, what it holds back, and what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_members import make_member

from training.config.running import GateConfig
from training.errors import ModelFolderError
from training.folder import Predictions, read_predictions
from training.tracking.comparison import compare_f1_macro
from training.tracking.gate import Champion, GateLine, judge


def by_name(lines: list[GateLine]) -> dict[str, GateLine]:
    return {line.name: line for line in lines}


def champion(folder: Path, classes: tuple[str, ...] = ("healthy", "rust", "spot")) -> Champion:
    return Champion("leaves-old", 3, list(classes), read_predictions(folder, "test"))


def test_a_good_member_passes_every_line(tmp_path: Path) -> None:
    lines = judge(make_member(tmp_path / "good"), GateConfig(), None)
    assert [line.name for line in lines] == ["accuracy_micro", "f1_macro", "recall_floor", "ece", "champion"]
    assert all(line.passed for line in lines)
    assert by_name(lines)["accuracy_micro"].value == pytest.approx(114 / 120)


@pytest.mark.parametrize(
    ("name", "member", "said"),
    [
        ("accuracy_micro", {"right": 0.7}, "accuracy (micro) on 120 test photos: 0.700, below gate.accuracy_micro 0.8"),
        ("f1_macro", {"right": 0.7}, "below gate.f1_macro 0.8"),
        ("recall_floor", {"blind_to": "rust"}, "below gate.recall_floor 0.5: rust 0.000 of 40"),
    ],
)
def test_the_line_that_fails_is_named_with_its_numbers(tmp_path: Path, name: str, member: dict, said: str) -> None:
    line = by_name(judge(make_member(tmp_path / "bad", **member), GateConfig(), None))[name]
    assert not line.passed
    assert said in line.text


def test_calibration_is_judged_at_the_temperature_it_will_be_served_with(tmp_path: Path) -> None:
    overconfident = make_member(tmp_path / "sure", 0.85, photos=600, sureness=30)
    line = by_name(judge(overconfident, GateConfig(ece=0.05), None))["ece"]
    assert line.passed, line.text
    shifted = make_member(tmp_path / "shifted", 0.85, photos=600, sureness=30)
    sure = make_member(tmp_path / "right", 1.0, photos=600, sureness=30)
    (sure / "validation.npz").rename(shifted / "validation.npz")  # validation photos promise more than test photos keep
    line = by_name(judge(shifted, GateConfig(ece=0.05), None))["ece"]
    assert not line.passed
    assert "above gate.ece 0.05" in line.text


def test_clearly_worse_than_the_champion_on_the_same_photos_is_held_back(tmp_path: Path) -> None:
    old, new = make_member(tmp_path / "old", 0.99), make_member(tmp_path / "new", 0.90)
    line = by_name(judge(new, GateConfig(), champion(old)))["champion"]
    assert not line.passed
    assert "champion leaves-old version 3: -0.09" in line.text
    assert "paired bootstrap, 120 photos" in line.text
    assert by_name(judge(new, GateConfig(champion_margin=0.1), champion(old)))["champion"].passed
    assert by_name(judge(old, GateConfig(), champion(new)))["champion"].passed


def test_a_difference_within_noise_is_no_reason(tmp_path: Path) -> None:
    old, new = make_member(tmp_path / "old", 0.93), make_member(tmp_path / "new", 0.92, seed=1)
    line = by_name(judge(new, GateConfig(), champion(old)))["champion"]
    assert line.passed
    assert line.value < 0


def test_other_test_photos_are_compared_unpaired_and_with_a_wider_interval(tmp_path: Path) -> None:
    old, new = make_member(tmp_path / "old", 0.95), make_member(tmp_path / "new", 0.90)
    elsewhere = make_member(tmp_path / "elsewhere", 0.95, prefix="b-")
    said = read_predictions(new, "test")
    paired = compare_f1_macro(said, read_predictions(old, "test"), 3)
    unpaired = compare_f1_macro(said, read_predictions(elsewhere, "test"), 3)
    assert paired.value == pytest.approx(unpaired.value)
    assert "unpaired bootstrap, 120 and 120 other photos" in unpaired.method
    assert unpaired.high - unpaired.low > 1.2 * (paired.high - paired.low)


def test_pairing_does_not_depend_on_the_order_of_the_photos(tmp_path: Path) -> None:
    old, new = (
        read_predictions(make_member(tmp_path / name, right), "test") for name, right in (("o", 0.9), ("n", 0.8))
    )
    order = np.random.default_rng(3).permutation(len(old.labels))
    shuffled = Predictions(old.logits[order], old.labels[order], old.image_ids[order], old.split_hash)
    assert compare_f1_macro(new, shuffled, 3) == compare_f1_macro(new, old, 3)


def test_a_champion_of_other_classes_is_not_compared(tmp_path: Path) -> None:
    old = make_member(tmp_path / "old", 1.0)
    line = by_name(judge(make_member(tmp_path / "new"), GateConfig(), champion(old, ("healthy", "rust"))))["champion"]
    assert line.passed
    assert "knows other classes" in line.text


def test_answers_of_other_classes_than_the_folder_names_are_refused(tmp_path: Path) -> None:
    member = make_member(tmp_path / "two", classes=("healthy", "rust"))
    three = make_member(tmp_path / "three")
    (three / "test.npz").replace(member / "test.npz")
    with pytest.raises(ModelFolderError, match=r"test\.npz has logits of 3 classes, classes\.json names 2"):
        judge(member, GateConfig(), None)


@pytest.mark.parametrize("file", ["empty", "absent"])
def test_without_test_photos_the_validation_photos_are_judged(tmp_path: Path, file: str) -> None:
    member = make_member(tmp_path / "fold")
    with np.load(member / "test.npz") as arrays:
        empty = {name: value[:0] if value.ndim else value for name, value in arrays.items()}
    (member / "test.npz").unlink()
    if file == "empty":
        np.savez_compressed(member / "test.npz", **empty)
    assert "on 120 validation photos" in judge(member, GateConfig(), None)[0].text
