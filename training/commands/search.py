"""`python -m training search`: try values of some fields and keep the best as a preset."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from training.config.command_line import ConfiguredCommand, parse

SUMMARY = "try values of some fields, keep the best as a preset"
SHOWN = 10


class Search(ConfiguredCommand):
    """Search hyper-parameters: search.space says which, search.trials how often. The same command again goes on."""

    model_config = SettingsConfigDict(cli_prog_name="python -m training search")

    out: Path | None = Field(None, description="folder of the search; null: build/search/<member>")


def run(arguments: list[str]) -> int:
    """Parse, search, print the best runs and the next command."""
    command = parse(Search, arguments)

    from training.data.synthetic import data_folder
    from training.tracking.search import search
    from training.tracking.space import shown

    config = command.training
    data = data_folder(command.data, config.dataset)
    found = search(config, data, command.out or Path("build", "search", config.member))
    done = [trial for trial in found.trials if trial.state.name == "COMPLETE" and trial.value is not None]
    done.sort(key=lambda trial: trial.value or 0.0, reverse=config.search.direction == "maximize")
    lines = [f"{len(done)} runs finished, {len(found.trials) - len(done)} were stopped early", ""]
    lines.append(f"{'run':>5}  {config.search.metric}  values")
    for trial in done[:SHOWN]:
        values = ", ".join(f"{name} {value}" for name, value in shown(trial.params).items())
        lines.append(f"{trial.number:5}  {trial.value:{len(config.search.metric)}.4f}  {values}")
    lines += ["", f"best: run {found.number}; all: {found.table}"]
    lines.append(f"next: python -m training fit --config {found.preset} --data {data}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
