"""`python -m training explore`: one page about a data folder."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from training.config.command_line import SurveyCommand, parse

SUMMARY = "write one HTML page about the photos: balance, problems, sizes, duplicates, samples, augmentation"


class Explore(SurveyCommand):
    """Write one self-contained HTML page about a data folder; problems are listed and stop nothing."""

    model_config = SettingsConfigDict(cli_prog_name="python -m training explore")

    out: Path | None = Field(None, description="HTML file to write; default build/explore/<data folder>.html")


def run(arguments: list[str]) -> int:
    """Parse, read everything, write the page."""
    command = parse(Explore, arguments)

    from training.data.explore import write_page
    from training.data.surveying import surveyed
    from training.errors import DataLayoutError

    config, root, dataset = surveyed(command)
    out = command.out or Path("build/explore") / f"{root.resolve().name}.html"
    try:
        write_page(dataset, root, config, out)
    except OSError as error:
        raise DataLayoutError(f"{out} cannot be written: {error}. Name another file with --out.") from error
    harmful = sum(problem.harmful for problem in dataset.problems)
    sys.stdout.write(f"{len(dataset.photos)} usable photos, {harmful} problems; page: {out}\n")
    return 0
