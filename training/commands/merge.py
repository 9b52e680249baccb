"""`python -m training merge`: several data folders to one."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from training.config.command_line import Command, parse

SUMMARY = "write several data folders as one"


class Merge(Command):
    """Write several data folders as one; the label of a photo that lies in several is that of the last."""

    model_config = SettingsConfigDict(cli_prog_name="python -m training merge")

    data: list[Path] = Field(min_length=2, description="data folder in any layout; repeat it")
    out: Path = Field(description="folder to write; must not exist, or be empty")
    task: str = Field("cassava", description="task name in training/tasks, or the path of a task JSON file")


def run(arguments: list[str]) -> int:
    """Parse, merge, print how many photos came from where."""
    command = parse(Merge, arguments)

    from training.data.merging import merge
    from training.tasks import load_task

    for folder, count in merge(command.data, load_task(command.task), command.out).items():
        sys.stdout.write(f"{count} photos from {folder}\n")
    return 0
