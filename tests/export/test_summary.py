"""The summary for a change request: what was measured, what was not, and the command to type next."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from export.__main__ import main
from export.plan_files import MANIFEST, to_text
from export.stages import stages
from export.summary import next_command, to_markdown
from export.timing import by_batch, machine, milliseconds

INTERVAL = {"value": 0.7, "interval": [0.6, 0.8]}
FIGURES = {"accuracy": INTERVAL, "f1_macro": INTERVAL, "calibration_error": INTERVAL}


def report(**values: Any) -> dict[str, Any]:
    """A report with everything that a summary reads."""
    member = {"largest_difference_to_torch": 6e-6, "half_precision_difference": None}
    return {
        "release": 2,
        "task": "cassava",
        "check_photos": 8,
        "members": {"a_cnn": member, "a_vit": member | {"half_precision_difference": 2e-3}},
        "comparison": {
            "verdict": "Averaging pays.",
            "test_photos": 202,
            "ensemble": FIGURES,
            "members": {"a_cnn": FIGURES, "a_vit": FIGURES},
        },
        "refusal": {"leaves": {"refused": 0.025}, "others_far": {"refused": 0.956}, "others_near": None},
        "metrics": {"prediction_set_coverage": 0.861},
        "thresholds": {"coverage": 0.9, "fitted_on": {"predictions": "out_of_fold", "photos": 805}},
        "served": {
            "photos": 8,
            "differences": {"a_cnn": 0.0037, "a_vit": 0.0096},
            "machine": {"processor": "A Processor", "cores": 2},
            "milliseconds_by_batch": {
                "1": {"median": 30.0, "least": 28.0, "most": 35.0, "repeats": 5},
                "8": {"median": 200.0, "least": 190.0, "most": 230.0, "repeats": 2},
            },
        },
        "gates": [
            {"gate": "parity", "bound": 1e-4, "overridden": False},
            {"gate": "half_precision", "bound": 0.03, "overridden": True},
            {"gate": "coverage", "bound": None, "overridden": True},
        ],
        "files": {"a_cnn/2/model.onnx": {"bytes": 2_000_000}, "a_vit/2/model.onnx": {"bytes": 3_000_000}},
        **values,
    }


def test_every_stage_is_there_with_its_figures() -> None:
    said = report()
    text = to_markdown(said, stages(said, {}))
    assert "| torch to ONNX, 8 photos | 6.0e-06 | 6.0e-06 | ONNX Runtime on the CPU |" in text
    assert "| ONNX to half precision, 8 photos | - | 2.0e-03 | float16 simulated on the CPU |" in text
    assert "| ONNX to TensorRT plan | - | - | no plan yet: `python -m export plan --release 2` on each kind" in text
    assert "| torch to the answer through Triton, 8 photos | 3.7e-03 | 9.6e-03 |" in text
    assert "| photos in one request, through Triton on 2 cores of A Processor | 1 | 8 |" in text
    assert "| median milliseconds (range) | 30 (28-35) | 200 (190-230) |" in text
    assert "Averaging pays." in text
    assert "| together | 0.700 (0.600-0.800) |" in text
    assert "Prediction sets hold the truth for 86.1% (aim 90%, fitted on 805 out-of-fold photos)." in text
    assert "Refused: 2.5% of unseen leaves, 95.6% of far pictures." in text
    assert "3 gate checks passed, overridden: coverage (off), half_precision (0.03)." in text
    assert "5 MB in 2 files" in text


def test_an_older_report_does_not_say_what_the_threshold_was_fitted_on() -> None:
    said = report(thresholds={"coverage": 0.9})
    assert "hold the truth for 86.1% (aim 90%)." in to_markdown(said, stages(said, {}))


def test_what_was_not_measured_is_said() -> None:
    member = {"largest_difference_to_torch": 6e-6, "half_precision_difference": None}
    said = report(members={"a_cnn": member}, comparison=None, refusal=None, metrics={}, served=None, gates=[])
    text = to_markdown(said, stages(said, {}))
    assert "not evaluated" in text
    assert "not asked for (--half-precision)" in text
    assert "not asked for (--triton-python)" in text
    assert "milliseconds" not in text
    assert "overridden" not in text


def planned(plans: dict[str, Any]) -> dict[str, Any]:
    """The stage that plans are."""
    return next(step for step in stages(report(), plans) if step["stage"] == "ONNX to TensorRT plan")


PLANNED = {"model_cc75.plan": {"compute_capability": "7.5", "gpu": "NVIDIA T4", "tensorrt": "11.2.1.2"}}


def test_plans_are_told_apart_from_proofs_that_they_can_be_built() -> None:
    proof = {"model.plan": {"compute_capability": None, "tensorrt": "11.2.1.2"}}
    note = planned({"a_cnn": PLANNED, "a_vit": proof | PLANNED})["note"]
    assert "for 7.5 (NVIDIA T4) by TensorRT 11.2.1.2" in note
    assert "without a GPU, to prove that it can be by TensorRT 11.2.1.2" in note
    assert "not all compared yet: `python -m export compare --release 2" in note
    assert "not all compared yet" not in planned({"a_cnn": proof, "a_vit": proof})["note"]
    assert "none of a_vit" in planned({"a_cnn": PLANNED, "a_vit": {}})["note"]


def test_plans_that_were_compared_say_how_far_they_are_off() -> None:
    (kind, entry), far = *PLANNED.items(), {"largest_difference": 0.004, "photos": 50}
    near = {kind: entry | {"compared": {"largest_difference": 0.001, "photos": 40}}}
    step = planned({"a_cnn": near, "a_vit": {kind: entry | {"compared": far}, "other.plan": near[kind]}})
    assert step["differences"] == {"a_cnn": 0.001, "a_vit": 0.004}
    assert step["photos"] == 40
    assert "compared" not in step["note"]
    overflowing = {kind: entry | {"compared": {"largest_difference": None, "photos": 50}}}
    assert planned({"a_cnn": near, "a_vit": overflowing})["differences"]["a_vit"] is None


def test_the_gpu_of_an_export_and_the_registry_are_named_where_they_took_part() -> None:
    said = report()
    assert "| torch to ONNX on a GPU | - | - | no GPU, or no onnxruntime-gpu, where it was exported |" in (
        to_markdown(said, stages(said, {}))
    )
    assert "From the registry" not in to_markdown(said, [])
    said["members"]["a_vit"] |= {
        "largest_difference_on_cuda": 2e-5,
        "registered": {"model": "cassava-a_vit", "version": 3, "run": "f00"},
    }
    text = to_markdown(said, stages(said, {}))
    assert "| torch to ONNX on a GPU, 8 photos | - | 2.0e-05 | ONNX Runtime's CUDA provider |" in text
    assert "From the registry: cassava-a_vit version 3 (run f00)." in text


def test_the_command_knows_plans_that_came_later(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "leaf_ensemble_2"
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps(report()))
    asked = ["summary", "--repository", str(tmp_path), "--release", "2"]
    assert main(asked) == 0
    assert "no plan yet" in capsys.readouterr().out
    for name in ("a_cnn", "a_vit"):
        (tmp_path / name / "2").mkdir(parents=True)
        (tmp_path / name / "2" / MANIFEST).write_text(to_text(PLANNED))
    assert main(asked) == 0
    assert "for 7.5 (NVIDIA T4)" in capsys.readouterr().out
    (tmp_path / "a_vit" / "2" / MANIFEST).write_text("{")
    assert main(asked) == 0
    assert "none of a_vit" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, "{", '{"release": 2}'], ids=["no release", "damaged", "an older report"])
def test_a_report_that_cannot_be_summed_up_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    if content is not None:
        (tmp_path / "leaf_ensemble_2").mkdir()
        (tmp_path / "leaf_ensemble_2" / "report.json").write_text(content)
    assert main(["summary", "--repository", str(tmp_path), "--release", "2"]) == 1
    assert "leaf_ensemble_2/report.json cannot be summed up" in capsys.readouterr().err


def test_the_next_command_serves_the_first_release_and_promotes_later_ones(tmp_path: Path) -> None:
    (tmp_path / "leaf_ensemble_1").mkdir()
    (tmp_path / "leaf_ensemble").mkdir()
    assert next_command(tmp_path, 1) == f"make serve REPOSITORY={tmp_path}"
    (tmp_path / "leaf_ensemble_2").mkdir()
    assert next_command(tmp_path, 2) == f"make promote N=2 REPOSITORY={tmp_path}"


def test_quick_calls_are_repeated_and_slow_ones_are_not_forever() -> None:
    quick = milliseconds(lambda: None)
    assert quick["repeats"] == 5
    assert 0 <= quick["least"] <= quick["median"] <= quick["most"]
    slow = milliseconds(lambda: time.sleep(0.8))
    assert slow["repeats"] == 2
    assert slow["least"] >= 800
    assert milliseconds(lambda: time.sleep(0.2), 0.1)["repeats"] == 1


def test_latency_is_taken_by_batch_or_not_at_all() -> None:
    asked: list[int] = []
    assert list(by_batch(asked.append, 0.2)) == ["1", "2", "4", "8"]
    assert asked == [1, 2, 4, 8]
    assert by_batch(asked.append, 0) == {}


def test_the_machine_is_named() -> None:
    assert machine()["cores"] >= 1
    assert machine()["processor"]
