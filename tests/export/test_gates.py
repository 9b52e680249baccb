"""Gates: closed by a figure out of bounds, opened by their own name alone, and never silently."""

import json
from pathlib import Path

import numpy as np
import pytest

from export.__main__ import main
from export.errors import GateError
from export.figures import wilson
from export.gates import DEFAULTS, Gates


def test_a_figure_out_of_bounds_closes_the_gate_and_is_remembered() -> None:
    gates = Gates()
    gates.at_most("parity", 1e-5)
    with pytest.raises(GateError, match="--gate parity=off"):
        gates.at_most("parity", 1e-3)
    assert [v.passed for v in gates.verdicts] == [True, False]


def test_few_photos_are_judged_by_their_interval() -> None:
    gates = Gates()
    gates.at_most("refused_leaves", 0.07, (0.04, 0.12))
    gates.at_least("refused_others", 0.93, (0.89, 0.96))
    with pytest.raises(GateError):
        gates.at_most("refused_leaves", 0.2, (0.15, 0.25))
    with pytest.raises(GateError):
        gates.at_least("refused_others", 0.5, (0.4, 0.6))


def test_pictures_that_resemble_leaves_have_a_gate_of_their_own() -> None:
    """Near ones drown among far ones: 160 of 160 far and 20 of 40 near are 90 % of all."""
    assert DEFAULTS["refused_near"] < DEFAULTS["refused_others"]
    pooled, near = wilson(180, 200), wilson(20, 40)
    Gates({"refused_others": 0.9}).at_least("refused_others", 0.9, pooled)
    with pytest.raises(GateError, match="--gate refused_near=off"):
        Gates().at_least("refused_near", 0.5, near)
    Gates().at_least(
        "refused_near", 0.75, wilson(30, 40)
    )  # flowers that the score never saw: the interval reaches the bound
    Gates({"refused_near": 0.4}).at_least("refused_near", 0.5, near)


def test_an_overridden_gate_says_so() -> None:
    gates = Gates({"refused_others": None, "parity": 0.5})
    gates.at_least("refused_others", 0.1, (0.0, 0.2))
    gates.at_most("parity", 0.4)
    assert all(said["overridden"] for said in gates.said())
    assert gates.said()[0]["bound"] is None
    with pytest.raises(GateError):
        gates.at_most("served_parity", DEFAULTS["served_parity"] * 2)


def harm(folder: Path) -> None:
    """Stored test logits of the second member that are sure of the wrong class."""
    with np.load(folder / "test.npz") as stored:
        arrays = dict(stored)
    arrays["logits"] = (12 * np.eye(5)[(arrays["labels"] + 1) % 5]).astype(np.float32)
    np.savez(folder / "test.npz", **arrays)


def test_an_ensemble_that_harms_is_no_release_unless_asked_for(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    members = shutil.copytree(trained, tmp_path / "members")
    harm(members / "small_vit")
    command = ["release", "--members", str(members / "small_cnn"), str(members / "small_vit")]
    command += ["--repository", str(tmp_path / "repository"), "--check-photos", "2", "--latency-seconds", "0"]
    assert main(command) == 1
    told = capsys.readouterr().err
    assert "The gate ensemble_loss is closed" in told
    assert "converting" not in told  # what is known beforehand is said before the work
    assert not list((tmp_path / "repository").glob("leaf_ensemble*"))
    assert main([*command, "--gate", "ensemble_loss=off", "coverage=off"]) == 0
    report = json.loads((tmp_path / "repository/leaf_ensemble_1/report.json").read_text())
    assert {v["gate"] for v in report["gates"] if v["overridden"]} >= {"ensemble_loss"}
    assert report["comparison"]["verdict"].startswith("Averaging harms")
    page = (tmp_path / "repository/leaf_ensemble_1/report.html").read_text()
    assert "Averaging harms" in page
    assert "http" not in page


@pytest.mark.parametrize("words", ["no_gate=1", "parity=wide"])
def test_unknown_gates_are_refused(words: str) -> None:
    with pytest.raises(SystemExit):
        main(["release", "--members", "x", "--repository", "y", "--gate", words])
