"""The trained-model folder, the contract with whoever exports or serves the model.

::

    config.json         timm's: architecture, arguments, classes, pretrained_cfg (size, mean, std, interpolation, crop)
    model.safetensors   weights, float32 or float16
    classes.json        the task: keys, names and advice per language, in label order
    validation.npz      logits float32 [N, C], labels int64 [N], image_ids str [N], split_hash str
    test.npz            the same; absent in a fold without test photos
    oof.npz             the same of all photos but the test photos, by networks of other folds; where `folds --members` put it
    report.json         data, split, metrics, configuration, versions
    history.json        per epoch: rate, seconds, losses and figures
    evaluation.html     the figures as a page, where it was asked for
    data_problems.csv   files that were left out, where there were any

`timm.create_model("local-dir:FOLDER", pretrained=True)` opens it without this room. Nothing in it is pickled.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from timm.models import save_for_hf
from torch import nn

import architectures  # noqa: F401  # registers the networks of our own with timm
from training.errors import ConfigurationError, ModelFolderError
from training.tasks import Task, load_task
from training.writing import writing

PARTS = ("validation", "test")
_REFUSALS = (RuntimeError, ValueError, KeyError, TypeError, AttributeError, AssertionError)
"""What timm raises of a damaged configuration."""


@dataclass(frozen=True)
class Predictions:
    """What a model said about photos it never saw."""

    logits: NDArray[np.float32]
    labels: NDArray[np.int64]
    image_ids: NDArray[np.str_]
    split_hash: str


def write_network(folder: Path, network: nn.Module, task: Task, precision: str) -> None:
    """Write `config.json`, `model.safetensors` and `classes.json`.

    With `precision="float16"` the network's own weights are rounded too, so that it stays the network that was stored.

    Raises:
        ModelFolderError: the folder cannot be written, or a weight does not fit into float16.
    """
    if precision == "float16":
        network.half()
        if not all(torch.isfinite(tensor).all() for tensor in network.state_dict().values()):
            raise ModelFolderError("A weight exceeds float16's range: train with --model.weights float32.")
    data_keys = ("input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode")
    pretrained_cfg = cast(dict[str, Any], network.pretrained_cfg)
    for parameter in network.parameters():  # trained channels_last, which safetensors refuses
        parameter.data = parameter.data.contiguous()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        save_for_hf(
            network,
            str(folder),
            model_config={
                "label_names": [info.key for info in task.classes],
                # timm would pass on the tag and licence of the weights it offers for this architecture
                "pretrained_cfg": {"tag": task.task, "license": None},
            },
            safe_serialization=True,
            data_config={key: pretrained_cfg[key] for key in data_keys},
        )
        # safetensors leaves it to the owner; a server runs as somebody else
        (folder / "model.safetensors").chmod(0o644)
    write_json(folder / "classes.json", task.model_dump())
    network.float()


def write_predictions(folder: Path, part: str, predictions: Predictions) -> None:
    """Write `validation.npz`, `test.npz` or `oof.npz`.

    Raises:
        ModelFolderError: it cannot be written.
    """
    path = folder / f"{part}.npz"
    with writing(path):
        np.savez_compressed(
            path,
            logits=predictions.logits.astype(np.float32),
            labels=predictions.labels.astype(np.int64),
            image_ids=np.asarray(predictions.image_ids, dtype=np.str_),
            split_hash=np.str_(predictions.split_hash),
        )


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Write `report.json`."""
    write_json(folder / "report.json", report)


def write_history(folder: Path, history: list[dict[str, Any]]) -> None:
    """Write `history.json`: one object per epoch, from 1."""
    write_json(folder / "history.json", history)


def read_network(folder: Path) -> nn.Module:
    """Open the trained network with timm alone, in evaluation mode.

    Raises:
        ModelFolderError: files are missing or do not belong together.
    """
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise ModelFolderError(f"{folder / name} does not exist: give --model a folder that `fit` wrote.")
    try:
        return timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    except (*_REFUSALS, OSError, SafetensorError) as error:
        raise ModelFolderError(f"timm cannot open {folder}: {error}. Train it again.") from error


def read_task(folder: Path) -> Task:
    """Read `classes.json`.

    Raises:
        ModelFolderError: it is missing or breaks the schema.
    """
    try:
        return load_task(str(folder / "classes.json"))
    except ConfigurationError as error:
        raise ModelFolderError(str(error)) from error


def read_predictions(folder: Path, part: str) -> Predictions:
    """Read `validation.npz` or `test.npz`.

    Raises:
        ModelFolderError: it is missing, lacks an array, or its arrays do not belong together.
    """
    path = folder / f"{part}.npz"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # numpy leaves a damaged file open
            read = Predictions(arrays["logits"], arrays["labels"], arrays["image_ids"], str(arrays["split_hash"]))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelFolderError(f"{path} is missing or damaged: {error}. Train the model again.") from error
    if not len(read.logits) == len(read.labels) == len(read.image_ids):
        raise ModelFolderError(f"The arrays in {path} differ in length. Train the model again.")
    if read.logits.ndim != 2 or not np.isin(read.labels, np.arange(read.logits.shape[1])).all():
        raise ModelFolderError(f"The labels in {path} are not those of its logits. Train the model again.")
    return read


def read_test(folder: Path) -> Predictions:
    """Read `test.npz`; no photos where the report says that none were set aside for testing, as in folds.

    Raises:
        ModelFolderError: as `read_predictions`.
    """
    if (folder / "test.npz").is_file() or _tested(folder):
        return read_predictions(folder, "test")
    validation = read_predictions(folder, "validation")
    return Predictions(
        validation.logits[:0], validation.labels[:0], validation.image_ids[:0], split_hash=validation.split_hash
    )


def _tested(folder: Path) -> bool:
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        return bool(report["split"]["sizes"]["test"])
    except (OSError, ValueError, KeyError, TypeError):
        return True


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, indented.

    Raises:
        ModelFolderError: it cannot be written.
    """
    with writing(path):
        path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
