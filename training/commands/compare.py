"""`python -m training compare`: the ablation table of several runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import CliPositionalArg, SettingsConfigDict

from training.config.command_line import Command, parse
from training.errors import ModelFolderError

SUMMARY = "put runs side by side: the ablation table, in the terminal, as CSV and as a page"


class Compare(Command):
    """Put runs side by side, each against a baseline on the same photos, with what was set differently.

    Reads what the runs stored; no photo is opened.
    """

    model_config = SettingsConfigDict(cli_prog_name="python -m training compare")

    runs: CliPositionalArg[list[str]] = Field(
        min_length=1,
        description="trained-model folders, folders of `folds`, or registered models such as "
        "models:/cassava-resnet18@champion",
    )
    baseline: str = Field(
        "", description="run that the others are compared with, by its folder's name; empty: the first"
    )
    out: Path = Field(Path("build/ablation"), description="folder for ablation.html, ablation.csv and ablation.json")
    json_output: bool = Field(False, alias="json", description="print JSON instead of a table")
    tracking: str = Field("", description="MLflow URI of registered models; empty: the file build/mlflow/mlflow.db")


def run(arguments: list[str]) -> int:
    """Parse, compare, print and write the table."""
    command = parse(Compare, arguments)

    from training.evaluation.compare import ablation, read_runs
    from training.evaluation.compare_table import page, table, write_csv
    from training.evaluation.folders import locate

    runs = [run for each in command.runs for run in read_runs(locate(each, command.tracking))]
    rows = ablation(runs, command.baseline)
    as_json = json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    sys.stdout.write(as_json if command.json_output else table(rows))
    try:
        command.out.mkdir(parents=True, exist_ok=True)
        with (command.out / "ablation.csv").open("w", newline="", encoding="utf-8") as stream:
            write_csv(rows, stream)
        (command.out / "ablation.html").write_text(page(rows, runs), encoding="utf-8")
        (command.out / "ablation.json").write_text(as_json, encoding="utf-8")
    except OSError as error:
        raise ModelFolderError(
            f"{command.out} cannot be written: {error}. Give --out a folder you may write to."
        ) from error
    if not command.json_output:
        sys.stdout.write(f"written to {command.out}: ablation.html, ablation.csv, ablation.json\n")
    return 0
