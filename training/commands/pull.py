"""`python -m training pull`: fetch a trained member that was pushed."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from training.config.command_line import Command, parse

SUMMARY = "fetch a trained member that was pushed, and check it"


class Pull(Command):
    """Fetch a trained-model folder; it appears only when every checksum is right.

    Credentials: as for `push`; what is public needs none.
    """

    model_config = SettingsConfigDict(cli_prog_name="python -m training pull")

    source: str = Field(
        alias="from", description="s3://BUCKET/PREFIX, https://MACHINE/PATH or hf://OWNER/NAME[@REVISION]"
    )
    out: Path = Field(description="folder to write; its name becomes the member's")


def run(arguments: list[str]) -> int:
    """Parse, fetch, print where it is."""
    command = parse(Pull, arguments)

    from training.transfer.folders import pull

    count = pull(command.source, command.out)
    sys.stdout.write(f"{count} files, each as it was pushed, are in {command.out}\n")
    return 0
