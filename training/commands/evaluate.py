"""`python -m training evaluate`: the figures of trained models, recomputed from the original photos."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from training.config.command_line import Command, parse

SUMMARY = "recompute the figures of trained models and of their average, and write the report page"


class Evaluate(Command):
    """Recompute the figures of trained models, and of their average, from the original photos."""

    model_config = SettingsConfigDict(cli_prog_name="python -m training evaluate")

    model: list[str] = Field(
        min_length=1,
        description="trained-model folder, or a registered one such as models:/cassava-resnet18@champion; repeat it for "
        "the average of several",
    )
    data: Path = Field(description="folder with the photos that they were trained with")
    json_output: bool = Field(False, alias="json", description="print JSON instead of a table")
    out: Path | None = Field(None, description="report page to write, such as build/evaluation.html")
    views: int = Field(1, description="1, or 8: flips and quarter turns of each photo averaged, reported apart")
    worst: int = Field(24, ge=0, description="surest mistakes that the page shows, number")
    attributions: int = Field(8, ge=0, description="photos with Grad-CAM on the page, number")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the networks run; auto: a GPU if any")
    tracking: str = Field("", description="MLflow URI of registered models; empty: the file build/mlflow/mlflow.db")

    @field_validator("views")
    @classmethod
    def _one_or_eight(cls, value: int) -> int:
        if value not in {1, 8}:
            raise ValueError("write 1 or 8")
        return value


def run(arguments: list[str]) -> int:
    """Parse, evaluate, print the figures."""
    command = parse(Evaluate, arguments)

    from training.evaluation.devices import choose_device
    from training.evaluation.evaluating import evaluate_folders
    from training.evaluation.folders import locate

    device = choose_device(command.device)
    results = evaluate_folders(
        [locate(model, command.tracking) for model in command.model],
        command.data,
        device=device,
        page=command.out,
        views=command.views,
        worst=command.worst,
        attributions=command.attributions,
    )
    if command.json_output:
        sys.stdout.write(json.dumps(results, indent=2) + "\n")
        return 0
    sys.stdout.write(_table(results))
    if command.out:
        sys.stdout.write(f"report page: {command.out}\n")
    return 0


def _table(results: dict[str, Any]) -> str:
    from training.evaluation.metrics import summary

    lines = []
    for name, parts in results.items():
        for part in ("validation", "test"):
            if metrics := parts.get(part):
                lines.append(summary(f"{name}, {part}", metrics))
                if "largest_logit_difference" in metrics:
                    lines.append(
                        f"  largest difference from the stored logits {metrics['largest_logit_difference']:.2g}\n"
                    )
    evaluation = list(results.values())[-1]["evaluation"]
    before, after = evaluation["calibration"]["before"], evaluation["calibration"]["after"]
    lines.append(f"{evaluation['answered_by']}, {evaluation['part']}, further figures\n")
    area = evaluation["metrics"]["auc_one_vs_rest_macro"]
    lines.append(f"  AUC (one-vs-rest, macro)  {'–' if area is None else format(area, '.3f')}\n")
    if after:
        lines.append(
            f"  ECE (15 bins, l1)         {before['ece_15_bins_l1']:.3f}, after temperature scaling "
            f"{after['ece_15_bins_l1']:.3f}\n"
        )
    lines += [
        f"  {figure} of the average minus {row['member']}  {_signed(row['average_minus_member'][key])}\n"
        for row in evaluation["members_alone"]
        for figure, key in (("accuracy (micro)", "accuracy_micro"), ("F1 (macro)", "f1_macro"))
    ]
    if evaluation["views"]:
        found = evaluation["views"]["views_minus_one_view"]
        lines.append(f"  accuracy (micro) of 8 views minus 1  {_signed(found['accuracy_micro'])}\n")
        lines.append(f"  F1 (macro) of 8 views minus 1        {_signed(found['f1_macro'])}\n")
    return "".join(lines)


def _signed(found: dict[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"
