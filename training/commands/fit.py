"""`python -m training fit`: train one member and write its trained-model folder."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from training.config.command_line import ConfiguredCommand, parse

SUMMARY = "train one member and write its folder"


class Fit(ConfiguredCommand):
    """Train one member and write its trained-model folder."""

    model_config = SettingsConfigDict(cli_prog_name="python -m training fit")

    out: Path | None = Field(None, description="folder to write; default: build/members/<task>/<member>")
    overwrite: bool = Field(False, description="replace the folder where it exists")


def run(arguments: list[str]) -> int:
    """Parse, train, print the figures."""
    command = parse(Fit, arguments)

    from training.evaluation.metrics import summary
    from training.learning.fit import fit  # torch takes seconds to import; help and mistakes should not

    out = command.out or Path("build", "members", command.dataset.task, command.training.member)
    for part, metrics in fit(command.training, command.data, out).items():
        sys.stdout.write(summary(part, metrics))
    return 0
