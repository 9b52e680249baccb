"""`python -m training check`: what is wrong with a data folder, before anything is trained."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from training.config.command_line import SurveyCommand, parse

SUMMARY = "open every photo and name the files and rows that are unusable"


class Check(SurveyCommand):
    """Open every photo and name what is unusable. Exit status 2 where something would harm the training."""

    model_config = SettingsConfigDict(cli_prog_name="python -m training check")

    out: Path | None = Field(None, description="CSV file for all problems: kind, path, detail, advice, harmful")


def run(arguments: list[str]) -> int:
    """Parse, check, print."""
    command = parse(Check, arguments)

    from training.data.problems import listing, summary, write_problems
    from training.data.surveying import surveyed
    from training.errors import DataLayoutError

    config, _, dataset = surveyed(command)
    if command.out is not None:
        try:
            write_problems(dataset.problems, command.out)
        except OSError as error:
            raise DataLayoutError(f"{command.out} cannot be written: {error}. Name another file.") from error
    harmful = [problem for problem in dataset.problems if problem.harmful]
    notes = [problem for problem in dataset.problems if not problem.harmful]
    per_class = [0] * len(dataset.task.classes)
    for photo in dataset.photos:
        per_class[photo.label] += 1
    lines = [f"{len(dataset.photos)} usable photos of {len(per_class)} classes (task {dataset.task.task})"]
    lines += [f"  {info.key:40} {count}" for info, count in zip(dataset.task.classes, per_class, strict=True)]
    if dataset.test_ids:
        lines.append(f"{len(dataset.test_ids)} of them in the own test folder {config.dataset.test_subfolder}")
    if notes:
        lines += [f"To note, harms nothing ({summary(notes)}):", listing(notes, 10)]
    if harmful:
        lines += [f"Problems ({summary(harmful)}):", listing(harmful)]
        lines.append("Mend them, or train without these photos with --dataset.problems skip.")
    else:
        lines.append("No problems.")
    if command.out is not None:
        lines.append(f"all {len(dataset.problems)} written to {command.out}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 2 if harmful else 0
