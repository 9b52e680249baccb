"""`python -m training split`: divide photos once and keep the parts in a file, to be committed or tracked."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from training.config.command_line import ConfiguredCommand, parse

SUMMARY = "divide the photos and keep the parts in a file"


class Split(ConfiguredCommand):
    """Divide the photos as `fit` would and write which one is in which part.

    The file is checked against the photos when it is used: fit --dataset.split_file FILE.
    """

    model_config = SettingsConfigDict(cli_prog_name="python -m training split")

    out: Path = Field(description="CSV file to write: image_id, label, part, and the split's hash")


def run(arguments: list[str]) -> int:
    """Parse, divide, print how many photos went where."""
    command = parse(Split, arguments)

    from training.data.dataset import read_dataset
    from training.data.split import split_dataset, write_split
    from training.data.synthetic import data_folder
    from training.errors import DataError

    config = command.training.dataset
    split = split_dataset(read_dataset(data_folder(command.data, config), config), config)
    try:
        command.out.parent.mkdir(parents=True, exist_ok=True)
        write_split(split, command.out)
    except OSError as error:
        raise DataError(f"{command.out} cannot be written: {error}. Name another file.") from error
    sizes = ", ".join(f"{count} {part}" for part, count in split.sizes.items())
    sys.stdout.write(f"{sizes}; split {split.hash}\nnext: fit ... --dataset.split_file {command.out}\n")
    return 0
