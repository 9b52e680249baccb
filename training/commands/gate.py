"""`python -m training gate`: judge a trained-model folder, register it, and move the aliases."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from training.config.command_line import Command, parse
from training.config.running import GateConfig, TrackingConfig

SUMMARY = "judge a trained member and register it: candidate, or champion"
HELD_BACK = 3


class Gate(Command):
    """Judge a trained-model folder on its test photos and register it. Exit status 3: a line failed.

    The bars are those that it was trained with (report.json); flags win over them.
    """

    model_config = SettingsConfigDict(cli_prog_name="python -m training gate")

    model: Path = Field(description="trained-model folder")
    tracking: TrackingConfig = Field(default=TrackingConfig(), description="where it is recorded")
    gate: GateConfig = Field(default=GateConfig(), description="bars that differ from those it was trained with")


def run(arguments: list[str]) -> int:
    """Parse, judge, register, print the lines."""
    command = parse(Gate, arguments)

    from training.tracking.folders import judge_folder
    from training.tracking.gate import failed, table

    given: dict[str, Any] = command.gate.model_dump(exclude_unset=True)
    lines, where = judge_folder(command.model, given, command.tracking)
    sys.stdout.write("\n".join([command.model.resolve().name, table(lines).rstrip(), *where]) + "\n")
    held = failed(lines)
    if held:
        sys.stderr.write(f"held back by {', '.join(line.name for line in held)}; the champion stays as it is\n")
    return HELD_BACK if held else 0
