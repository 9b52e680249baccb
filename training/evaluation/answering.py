"""Answers about new photos, in the keys that the gateway answers with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from training.data.checks import inspect
from training.data.photos import Photo, open_photo, progress
from training.data.problems import Problem
from training.errors import DataLayoutError, ModelFolderError, PhotoError
from training.evaluation.calibration import fit_temperature, scaled
from training.folder import read_network, read_predictions, read_task
from training.transforms import evaluation_transform

_BATCH = 16


@dataclass(frozen=True)
class Answer:
    """What the members say about one file; `probabilities` is float64 [members, C], None where it cannot be read."""

    file: Path
    probabilities: NDArray[np.float64] | None
    error: str = ""


class Ensemble:
    """One or several members of one task; the answer is the mean of their calibrated probabilities."""

    def __init__(self, folders: Sequence[Path], device: torch.device) -> None:
        """Open the members.

        Args:
            folders: trained-model folders; temperatures are fitted on their `validation.npz`, 1 where it is missing.
            device: where the networks run.

        Raises:
            ModelFolderError: a folder is not complete, or they differ in their classes.
        """
        self.tasks = [read_task(folder) for folder in folders]
        keys = [[info.key for info in task.classes] for task in self.tasks]
        for folder, other in zip(folders, keys, strict=True):
            if other != keys[0]:
                raise ModelFolderError(f"{folder} and {folders[0]} differ in their classes: give members of one task.")
        self.members = [folder.resolve().name for folder in folders]
        self._device = device
        self._networks = [read_network(folder).to(device) for folder in folders]
        self._transforms = [evaluation_transform(network) for network in self._networks]
        self.temperatures = [_temperature(folder) for folder in folders]

    def answers(self, files: Sequence[Path]) -> Iterator[Answer]:
        """Answers in the order of the files; what cannot be read is an answer too, with its error."""
        coming = progress(files, "Predicting")
        with ThreadPoolExecutor() as pool:

            def begin() -> list[tuple[Path, Future[list[Tensor]]]]:
                return [(file, pool.submit(self._prepare, file)) for file in islice(coming, _BATCH)]

            pending = begin()
            while pending:
                ready, pending = pending, begin()
                yield from self._batch(ready)

    def _prepare(self, file: Path) -> list[Tensor]:
        photo: Image.Image = open_photo(file)
        return [transform(photo) for transform in self._transforms]

    @torch.inference_mode()
    def _batch(self, ready: Sequence[tuple[Path, Future[list[Tensor]]]]) -> list[Answer]:
        errors: dict[Path, str] = {}
        good = []
        for file, future in ready:
            try:
                good.append(future.result())
            except PhotoError as error:
                errors[file] = _reason(file, error)
        found: Iterator[Any] = iter(())
        if good:
            each = [
                scaled(network(torch.stack(views).to(self._device)).float().cpu().numpy(), temperature)
                for network, views, temperature in zip(
                    self._networks, zip(*good, strict=True), self.temperatures, strict=True
                )
            ]
            found = iter(np.stack(each, axis=1))
        return [Answer(file, None, errors[file]) if file in errors else Answer(file, next(found)) for file, _ in ready]

    def reply(self, answer: Answer, top: int = 0) -> dict[str, Any]:
        """The gateway's keys for a file that could be read: class, confidence, probabilities, and each member's own.

        Args:
            answer: with probabilities.
            top: list only so many classes, the likeliest first; 0 lists all in label order.
        """
        assert answer.probabilities is not None
        mean = answer.probabilities.mean(axis=0)
        return {
            **self._verdict(mean),
            "confidence": round(float(mean.max()), 6),
            "probabilities": self._named(mean, top),
            "members": [
                {"name": name, "predicted_class_id": int(own.argmax()), "probabilities": self._named(own, top)}
                for name, own in zip(self.members, answer.probabilities, strict=True)
            ],
        }

    def _verdict(self, probabilities: NDArray[np.float64]) -> dict[str, Any]:
        best = int(probabilities.argmax())
        return {"predicted_class_id": best, "class_name": self.tasks[0].names[best]}

    def _named(self, probabilities: NDArray[np.float64], top: int) -> dict[str, float]:
        order = np.argsort(-probabilities, kind="stable")[:top] if top else np.arange(len(probabilities))
        return {self.tasks[0].names[label]: round(float(probabilities[label]), 6) for label in order.tolist()}


def files_below(folder: Path) -> list[Path]:
    """Every file below a folder, sorted, hidden ones left out: what is no photo becomes a row that says so.

    Raises:
        DataLayoutError: there is none.
    """
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not files:
        raise DataLayoutError(f"{folder} holds no files: give a photo or a folder of photos.")
    return files


def _reason(file: Path, error: PhotoError) -> str:
    """Why a file cannot be read, in the words of the data report."""
    problem = inspect(Photo(file.name, file, 0), file.name)
    return f"{problem.kind}: {problem.detail}" if isinstance(problem, Problem) else str(error)


def _temperature(folder: Path) -> float:
    if not (folder / "validation.npz").is_file():
        return 1.0
    stored = read_predictions(folder, "validation")
    return fit_temperature(stored.logits, stored.labels)
