"""`python -m training synthesize`: a drawn data set."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from training.config.command_line import Command, parse

SUMMARY = "draw leaf-like pictures with distinct lesions per class, to try everything without photos"


class Synthesize(Command):
    """Draw leaf-like pictures, one kind of lesion per class, in Kaggle's layout with a task file; seeded."""

    model_config = SettingsConfigDict(cli_prog_name="python -m training synthesize")

    out: Path = Field(description="folder to write; must not exist, or be empty")
    classes: int = Field(5, description="number of classes, 2 to 40; the last one is healthy")
    photos: int = Field(100, description="pictures per class, number")
    seed: int = Field(0, description="seed of the pictures; the same numbers give the same pictures")
    height: int = Field(192, description="height of a picture, pixels; its width is 4/3 of it")


def run(arguments: list[str]) -> int:
    """Parse, draw, say how to train on it."""
    command = parse(Synthesize, arguments)

    from training.data.synthetic import generate

    count = generate(command.out, command.classes, command.photos, command.seed, command.height)
    sys.stdout.write(
        f"{count} pictures of {command.classes} classes in {command.out}\n"
        f"next: python -m training fit --config synthetic --dataset.task auto --data {command.out}\n"
    )
    return 0
