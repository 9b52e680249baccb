"""`python -m training explore`: one page about a data folder."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from training.config.command_line import ConfiguredCommand, parse

SUMMARY = "write one HTML page about the photos: balance, problems, sizes, duplicates, samples, augmentation"


class Explore(ConfiguredCommand):
    """Write one self-contained HTML page about a data folder; problems are listed and stop nothing."""

    model_config = SettingsConfigDict(cli_prog_name="python -m training explore")

    config: str = Field("", description="presets as for fit; without one the classes are read off the data")
    out: Path | None = Field(None, description="HTML file to write; default build/explore/<data folder>.html")


def run(arguments: list[str]) -> int:
    """Parse, read everything, write the page."""
    command = parse(Explore, arguments)

    from training.data.dataset import survey
    from training.data.explore import write_page
    from training.data.layouts import described
    from training.data.synthetic import data_folder
    from training.errors import DataLayoutError

    config = command.training
    config = config.model_copy(update={"dataset": described(config.dataset, command.config)})
    root = data_folder(command.data, config.dataset)
    out = command.out or Path("build/explore") / f"{root.resolve().name}.html"
    dataset = survey(root, config.dataset)
    try:
        write_page(dataset, root, config, out)
    except OSError as error:
        raise DataLayoutError(f"{out} cannot be written: {error}. Name another file with --out.") from error
    harmful = sum(problem.harmful for problem in dataset.problems)
    sys.stdout.write(f"{len(dataset.photos)} usable photos, {harmful} problems; page: {out}\n")
    return 0
