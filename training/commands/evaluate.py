"""`python -m training evaluate`: the figures of trained models, recomputed from the original photos."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from training.config.command_line import Command, parse

SUMMARY = "recompute the figures of trained models and of their average"


class Evaluate(Command):
    """Recompute the figures of trained models, and of their average, from the original photos."""

    model_config = SettingsConfigDict(cli_prog_name="python -m training evaluate")

    model: list[Path] = Field(min_length=1, description="trained-model folder; repeat it for the average of several")
    data: Path = Field(description="folder with train.csv and train_images/")
    json_output: bool = Field(False, alias="json", description="print JSON instead of a table")


def run(arguments: list[str]) -> int:
    """Parse, evaluate, print the figures."""
    command = parse(Evaluate, arguments)

    from training.evaluation.metrics import summary
    from training.evaluation.predictions import evaluate_folders

    results = evaluate_folders(command.model, command.data)
    if command.json_output:
        sys.stdout.write(json.dumps(results, indent=2) + "\n")
        return 0
    for name, parts in results.items():
        for part, metrics in parts.items():
            sys.stdout.write(summary(f"{name}, {part}", metrics))
            if "largest_logit_difference" in metrics:
                sys.stdout.write(
                    f"  largest difference from the stored logits {metrics['largest_logit_difference']:.2g}\n"
                )
    return 0
