"""`python -m training fit`: train one member and write its trained-model folder."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from training.config.command_line import ConfiguredCommand, parse

SUMMARY = "train one member and write its folder"
HELD_BACK = 3


class Fit(ConfiguredCommand):
    """Train one member and write its trained-model folder; the same command again goes on after an interruption."""

    model_config = SettingsConfigDict(cli_prog_name="python -m training fit")

    out: Path | None = Field(None, description="folder to write; null: build/members/<task>/<member>")
    overwrite: bool = Field(False, description="replace the folder where it exists")


def run(arguments: list[str]) -> int:
    """Parse, train, say what came of it; 3 where the gate held the member back."""
    command = parse(Fit, arguments)

    from training.data.layouts import list_photos  # torch takes seconds to import; help and mistakes should not
    from training.data.synthetic import data_folder
    from training.evaluation.metrics import summary
    from training.learning.fit import fit
    from training.tracking.gate import failed, table

    config = command.training
    data = data_folder(command.data, config.dataset)
    out = command.out or Path("build", "members", list_photos(data, config.dataset).task.task, config.member)
    result = fit(config, data, out, overwrite=command.overwrite)
    for part, metrics in result.metrics.items():
        sys.stdout.write(summary(part, metrics))
    lines = ["gate:", table(result.gate).rstrip(), *result.summary]
    lines.append(f"member: {result.folder} (trained in {result.seconds:.0f} s)")
    if (result.folder / "evaluation.html").is_file():
        lines.append(f"report: {result.folder / 'evaluation.html'}")
    lines.append(f"next: python -m training predict PHOTO --model {result.folder}")
    sys.stdout.write("\n".join(lines) + "\n")
    if held := failed(result.gate):
        sys.stderr.write(f"held back by {', '.join(line.name for line in held)}; the champion stays as it is\n")
        return HELD_BACK
    return 0
