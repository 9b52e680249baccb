"""The ablation table as text for the terminal, as CSV and as a page."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from typing import Any, TextIO

from training.evaluation import charts
from training.evaluation.compare import Run
from training.evaluation.page import render


def write_csv(rows: Sequence[dict[str, Any]], stream: TextIO) -> None:
    """The table for spreadsheets: intervals as `_low` and `_high`, one column per class and per differing setting."""
    flat = [_spread(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    table = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(flat)


def _spread(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name.endswith("_interval"):
            flat[name.replace("_interval", "_low")], flat[name.replace("_interval", "_high")] = value or ("", "")
        elif name == "minus_baseline":
            for figure, found in (value or {}).items():
                flat[f"{figure}_minus_baseline"] = found["difference"]
                flat[f"{figure}_minus_baseline_low"], flat[f"{figure}_minus_baseline_high"] = found["interval"]
        elif isinstance(value, list):
            flat[name] = " ".join(value)
        elif isinstance(value, dict):
            prefix = "recall_" if name == "recall_per_class" else ""
            flat |= {
                f"{prefix}{key}": json.dumps(each) if isinstance(each, list | dict) else each
                for key, each in value.items()
            }
        else:
            flat[name] = value
    return flat


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The table for the terminal, with a second block that names what was set differently."""
    head = [
        "run",
        "photos",
        "accuracy (micro)",
        "F1 (macro)",
        "AUC (macro)",
        "ECE",
        "minus baseline: F1 (macro)",
        "minutes",
    ]
    lines = [head]
    for row in rows:
        found = row["minus_baseline"]
        seconds = row["training_seconds"]
        area = row["auc_one_vs_rest_macro"]
        calibrated = row["ece_15_bins_l1_after_temperature"]
        lines.append(
            [
                row["run"],
                f"{row['photos']} {row['part']}",
                _bounded(row, "accuracy_micro"),
                _bounded(row, "f1_macro"),
                "-" if area is None else f"{area:.3f}",
                f"{row['ece_15_bins_l1'] if calibrated is None else calibrated:.3f}",
                _against(row) if found is None else _signed(found["f1_macro"]),
                "-" if seconds is None else f"{seconds / 60:.0f}",
            ]
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    for row in rows:
        if row["settings"]:
            settings = "; ".join(f"{name} {json.dumps(value)}" for name, value in row["settings"].items())
            text.append(f"{row['run']}: {settings}")
        if row["classes_without_photos"]:
            text.append(f"{row['run']}: macro figures leave out {', '.join(row['classes_without_photos'])}: no photos")
    text.append(
        "Brackets: 95 %; ECE: 15 bins, l1, after a temperature fitted on validation photos where there are any."
    )
    return "\n".join(text) + "\n"


def _bounded(row: dict[str, Any], name: str) -> str:
    low, high = row[f"{name}_interval"]
    return f"{row[name]:.3f} [{low:.3f}, {high:.3f}]"


def _signed(found: dict[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"


def _against(row: dict[str, Any]) -> str:
    return "baseline" if row["run"] == row["baseline"] else "other photos"


def page(rows: Sequence[dict[str, Any]], runs: Sequence[Run]) -> str:
    """The table as one HTML file, with learning curves where the runs have them."""
    task = runs[0].task
    series = [
        (run.name, points)
        for run in runs
        if (
            points := [
                (float(row["epoch"]), float(row["validation_f1_macro"]))
                for row in run.history
                if row.get("validation_f1_macro") is not None
            ]
        )
    ][: charts.SERIES]
    title = "Macro-F1 on the validation photos"
    return render(
        "compare.html.jinja",
        subject=task.crop["en"],
        names={info.key: info.names["en"] for info in task.classes},
        rows=rows,
        best=max(rows, key=lambda row: float(row["f1_macro"]))["run"],
        reach=max([0.02, *(abs(end) for row in rows for end in _ends(row))]),
        chart=charts.epochs_chart(title, "score, 0 to 1", series, share=True) if series else None,
        legend=[(f"s{index}", name, points[-1][1]) for index, (name, points) in enumerate(series)],
    )


def _ends(row: dict[str, Any]) -> list[float]:
    return list(row["minus_baseline"]["f1_macro"]["interval"]) if row["minus_baseline"] else []
