"""`compare`: the ablation table in the terminal, as CSV and as a page."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from browser import DESKTOP, SMALL_PHONE, accessibility_faults, chromium, opened, overflows
from made_members import make_member

from training.__main__ import main
from training.folder import Predictions, write_predictions


def run_folder(folder: Path, right: float, epochs: int = 10, **more: object) -> Path:
    """A finished run with its configuration and epochs."""
    make_member(folder, right, **more)  # type: ignore[arg-type]
    path = folder / "report.json"
    report = json.loads(path.read_text())
    report["configuration"] = {
        "schedule": {"epochs": epochs, "batch_size": 8},
        "loss": {"name": "focal" if epochs > 10 else "cross_entropy"},
        "tracking": {"mlflow": str(folder)},
        "hardware": {"threads": epochs},
    }
    path.write_text(json.dumps(report | {"architecture": "resnet18", "parameters": 1234567, "training_seconds": 600}))
    history = [{"epoch": epoch, "validation_f1_macro": right * epoch / 10} for epoch in range(1, 11)]
    (folder / "history.json").write_text(json.dumps(history))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    return [
        str(run_folder(tmp_path / "plain", 0.7)),
        str(run_folder(tmp_path / "better", 0.95, epochs=20)),
        str(run_folder(tmp_path / "elsewhere", 0.9, prefix="other-")),
    ]


def compare(runs: list[str], out: Path, *more: str) -> int:
    return main(["compare", *runs, "--out", str(out), *more])


def test_terminal_names_averaging_differences_and_settings(
    runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(runs, tmp_path / "out") == 0
    out = capsys.readouterr().out
    head, plain, better, elsewhere, *rest = out.splitlines()
    assert "accuracy (micro)" in head
    assert "F1 (macro)" in head
    assert "0.700" in plain
    assert "baseline" in plain
    assert "+0.2" in better
    assert "other photos" in elsewhere
    assert 'better: loss.name "focal"; schedule.epochs 20' in rest


def test_csv_has_intervals_and_one_column_per_differing_setting(runs: list[str], tmp_path: Path) -> None:
    assert compare(runs, tmp_path / "out") == 0
    with (tmp_path / "out" / "ablation.csv").open(encoding="utf-8") as stream:
        rows = {row["run"]: row for row in csv.DictReader(stream)}
    better = rows["better"]
    assert float(better["accuracy_micro"]) == pytest.approx(0.95)
    assert float(better["f1_macro_low"]) < float(better["f1_macro"]) < float(better["f1_macro_high"])
    assert float(better["accuracy_micro_minus_baseline"]) == pytest.approx(0.25)
    assert float(better["f1_macro_minus_baseline_low"]) > 0
    assert (better["schedule.epochs"], better["loss.name"]) == ("20", "focal")
    assert rows["elsewhere"]["f1_macro_minus_baseline"] == ""
    assert not {"schedule.batch_size", "tracking.mlflow", "hardware.threads"} & better.keys()


def test_json_is_what_is_written(runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(runs, tmp_path / "out", "--json", "true") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "out" / "ablation.json").read_text(encoding="utf-8"))
    assert printed[0]["recall_per_class"].keys() == {"healthy", "rust", "spot"}


def test_any_run_can_be_the_baseline(runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(runs, tmp_path / "out", "--json", "true", "--baseline", "better") == 0
    plain, better, _ = json.loads(capsys.readouterr().out)
    assert better["minus_baseline"] is None
    assert plain["minus_baseline"]["accuracy_micro"]["difference"] == pytest.approx(-0.25)


def test_out_of_fold_answers_count_as_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = run_folder(tmp_path / "source", 0.8)
    folder = tmp_path / "cross"
    for name, flip in (("first", 1), ("second", -1)):
        (folder / name).mkdir(parents=True)
        with np.load(source / "test.npz") as stored:
            said = Predictions(flip * stored["logits"], stored["labels"], stored["image_ids"], "hash")
        write_predictions(folder / name, "oof", said)
        (folder / name / "classes.json").write_bytes((source / "classes.json").read_bytes())
        (folder / name / "folds.json").write_text(json.dumps({"architecture": name, "parameters": 5}))
    write_predictions(folder, "oof", said)
    (folder / "classes.json").write_bytes((source / "classes.json").read_bytes())
    (folder / "folds.json").write_text("{}")
    assert compare([str(folder)], tmp_path / "out", "--json", "true") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["run"], row["part"]) for row in rows] == [
        ("first", "out-of-fold"),
        ("second", "out-of-fold"),
        ("cross", "out-of-fold"),
    ]
    assert rows[0]["architecture"] == "first"
    assert rows[0]["ece_15_bins_l1_after_temperature"] is None
    assert rows[1]["minus_baseline"]["accuracy_micro"]["difference"] < 0


def test_page_can_be_read_by_everybody(runs: list[str], tmp_path: Path) -> None:
    assert compare(runs, tmp_path / "out") == 0
    page = tmp_path / "out" / "ablation.html"
    assert "<script" not in page.read_text(encoding="utf-8")
    with chromium() as browser:
        for scheme, screen in (("light", DESKTOP), ("dark", SMALL_PHONE)):
            with opened(browser, page.as_uri(), **screen, color_scheme=scheme) as view:
                assert not overflows(view)
                assert not accessibility_faults(view)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda runs: [*runs, "--baseline", "nobody"], "No run is called nobody"),
        (lambda runs: [runs[0], runs[0]], "same name"),
        (lambda runs: [runs[0], str(Path(runs[0]).parent / "nowhere")], "nowhere"),
        (lambda _: ["models:/nothing"], "models:/nothing"),
    ],
    ids=["baseline", "twice", "missing", "registered name"],
)
def test_mistakes_are_named(
    runs: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: object,
    says: str,
) -> None:
    assert compare(change(runs), tmp_path / "out") == 2  # type: ignore[operator]
    assert says in capsys.readouterr().err


def test_runs_of_two_tasks_are_refused(runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = run_folder(tmp_path / "coffee", 0.9, classes=("healthy", "rust", "miner"))
    assert compare([runs[0], str(other)], tmp_path / "out") == 2
    assert "differ in their classes" in capsys.readouterr().err
