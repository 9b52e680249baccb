"""`python -m training predict`: what trained models say about new photos."""

from __future__ import annotations

import csv
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from pydantic import Field
from pydantic_settings import CliPositionalArg, SettingsConfigDict

from training.config.command_line import Command, parse
from training.errors import DataLayoutError, PhotoError

if TYPE_CHECKING:
    from training.evaluation.answering import Ensemble

SUMMARY = "ask trained models about a photo (JSON) or a folder of photos (CSV)"


class Predict(Command):
    """Ask trained models about a photo, or about every file of a folder. Several models are averaged.

    A photo prints JSON with the gateway's keys; a folder prints a CSV in which a file that cannot be read is a row with
    its error. Confidences are calibrated by temperatures fitted on each model's own validation photos.
    """

    model_config = SettingsConfigDict(cli_prog_name="python -m training predict")

    image: CliPositionalArg[Path] = Field(description="photo, or folder of photos")
    model: list[str] = Field(
        min_length=1,
        description="trained-model folder, or a registered one such as models:/cassava-resnet18@champion; repeat it for "
        "the average of several",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the networks run; auto: a GPU if any")
    top_k: int = Field(0, ge=0, alias="top-k", description="classes listed, likeliest first; 0: all, in label order")
    out: Path | None = Field(None, description="file to write instead of printing")
    tracking: str = Field("", description="MLflow URI of registered models; empty: the file build/mlflow/mlflow.db")


def run(arguments: list[str]) -> int:
    """Parse, predict, print or write."""
    command = parse(Predict, arguments)

    from training.evaluation.answering import Ensemble, files_below
    from training.evaluation.devices import choose_device
    from training.evaluation.folders import locate

    device = choose_device(command.device)  # before anything is loaded
    warnings.filterwarnings("ignore", module="PIL")  # of files that are read all the same
    if not command.image.exists():
        raise DataLayoutError(f"{command.image} does not exist: give a photo or a folder of photos.")
    files = files_below(command.image) if command.image.is_dir() else [command.image]
    ensemble = Ensemble([locate(model, command.tracking) for model in command.model], device)
    if command.out is None:
        return _answer(ensemble, command, files, sys.stdout)
    try:
        command.out.parent.mkdir(parents=True, exist_ok=True)
        with command.out.open("w", newline="", encoding="utf-8") as stream:
            return _answer(ensemble, command, files, stream)
    except OSError as error:
        raise DataLayoutError(
            f"{command.out} cannot be written: {error}. Give --out a file in a folder you may write to."
        ) from error


def _answer(ensemble: Ensemble, command: Predict, files: Sequence[Path], stream: TextIO) -> int:
    if command.image.is_dir():
        return _table(ensemble, command, files, stream)
    answer = next(ensemble.answers(files))
    if answer.probabilities is None:
        raise PhotoError(f"{answer.file}: {answer.error}. Give another photo.")
    json.dump(ensemble.reply(answer, command.top_k), stream, indent=2, ensure_ascii=False)
    stream.write("\n")
    return 0


def _table(ensemble: Ensemble, command: Predict, files: Sequence[Path], stream: TextIO) -> int:
    names = ensemble.tasks[0].names
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["file", "predicted_class_id", "class_name", "confidence", *names, "error"])
    bad = 0
    for answer in ensemble.answers(files):
        file = answer.file.relative_to(command.image).as_posix()
        if answer.probabilities is None:
            bad += 1
            table.writerow([file, "", "", "", *("" for _ in names), answer.error])
            continue
        reply = ensemble.reply(answer, command.top_k)
        listed = [reply["probabilities"].get(name, "") for name in names]
        table.writerow([file, reply["predicted_class_id"], reply["class_name"], reply["confidence"], *listed, ""])
    sys.stderr.write(f"{len(files) - bad} photos answered, {bad} files could not be read\n")
    return 2 if bad == len(files) else 0
