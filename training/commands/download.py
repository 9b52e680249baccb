"""`python -m training download`: photos from an archive's address or a Kaggle competition."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from training.config.command_line import Command, parse
from training.errors import ConfigurationError

SUMMARY = "fetch photos: an archive's address, or a Kaggle competition"


class Download(Command):
    """Fetch photos into a new folder that `fit --data` reads.

    Give --url or --competition. The command goes on where it stopped; nothing half done appears under --out.
    """

    model_config = SettingsConfigDict(cli_prog_name="python -m training download")

    url: str = Field("", description="address of a zip or tar (gz, bz2, xz); TRAINING_HTTP_TOKEN for private ones")
    sha256: str = Field(
        "", pattern="^([0-9a-fA-F]{64})?$", description="of the archive, hex; empty: shown, not compared"
    )
    competition: str = Field(
        "", pattern="^[a-z0-9-]*$", description="Kaggle competition, such as cassava-leaf-disease-classification"
    )
    out: Path = Field(description="folder to write; must not exist")


def run(arguments: list[str]) -> int:
    """Parse, fetch, print what came."""
    command = parse(Download, arguments)
    if bool(command.url) == bool(command.competition):
        raise ConfigurationError("Give either --url or --competition.")

    from training.transfer.download import download_archive, download_competition

    if command.competition:
        download_competition(command.competition, command.out)
    else:
        found = download_archive(command.url, command.out, command.sha256)
        sys.stdout.write(f"sha256 of the archive {found}{', as expected' if command.sha256 else ''}\n")
    count = sum(1 for path in command.out.rglob("*") if path.is_file())
    sys.stdout.write(
        f"{count} files are in {command.out}; look at them: python -m training check --data {command.out}\n"
    )
    return 0
