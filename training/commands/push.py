"""`python -m training push`: send a trained member elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from training.config.command_line import Command, parse
from training.transfer.addresses import showable

SUMMARY = "send a trained member to s3://, https:// or hf://"


class Push(Command):
    """Send a trained-model folder elsewhere, with checksums beside it.

    Credentials: s3:// as boto3 finds them (AWS_ACCESS_KEY_ID, ~/.aws), https:// TRAINING_HTTP_TOKEN, hf:// HF_TOKEN.
    """

    model_config = SettingsConfigDict(cli_prog_name="python -m training push")

    model: str = Field(description="trained-model folder, or models:/NAME@ALIAS of the registry")
    to: str = Field(description="s3://BUCKET/PREFIX, https://MACHINE/PATH (a server that takes PUT) or hf://OWNER/NAME")


def run(arguments: list[str]) -> int:
    """Parse, send, print how to get it back."""
    command = parse(Push, arguments)

    from training.transfer.folders import push

    folder = Path(command.model)
    if command.model.startswith("models:/"):
        from training.tracking.registry import model_folder

        folder = model_folder(command.model)
    count = push(folder, command.to)
    shown = showable(command.to)
    sys.stdout.write(f"{count} files are in {shown}; get them with:\n")
    sys.stdout.write(f"python -m training pull --from {shown} --out {folder.resolve().name}\n")
    return 0
