"""One evaluation from networks and photos to figures and page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from training.data.photos import Photo
from training.errors import ModelFolderError
from training.evaluation.analysis import analyse
from training.evaluation.explaining import METHOD, explain
from training.evaluation.members import Answers, answers_of, average
from training.evaluation.page import render
from training.evaluation.predictions import predict
from training.evaluation.sections import Subject, context_of
from training.folder import read_network, read_predictions
from training.tasks import Task

if TYPE_CHECKING:
    from training.config.groups import TrainingConfig
    from training.data.dataset import Dataset
    from training.data.split import Split

PAGE = "evaluation.html"


@dataclass(frozen=True)
class Judged:
    """Members and the photos that they are judged on."""

    task: Task
    subjects: Sequence[Subject]
    networks: dict[str, nn.Module]
    photos: Sequence[Photo]
    part: str
    facts: dict[str, str] = field(default_factory=dict)


def write_evaluation(
    folder: Path, dataset: Dataset, split: Split, history: Sequence[dict[str, Any]], config: TrainingConfig
) -> dict[str, Any]:
    """Evaluate a trained-model folder that holds its network and predictions, and write its `evaluation.html`.

    Figures are of the test photos; of the validation photos, uncalibrated, where the split has no test photos.

    Args:
        folder: with `config.json`, `model.safetensors`, `validation.npz` and, for a test part, `test.npz`.
        dataset: its task is what the photos are judged by.
        split: of the photos.
        history: one row per epoch: `epoch` from 1, and `train_loss`, `validation_loss`, `validation_f1_macro`,
            `validation_accuracy_micro`, `learning_rate` where known.
        config: its `evaluation` says what is drawn.

    Returns:
        What `report.json` holds under `evaluation`: see `training.evaluation.analysis.analyse`.

    Raises:
        PhotoError: a photo is missing or unreadable.
        ModelFolderError: a file of the folder is missing or damaged.
    """
    part = "test" if split.test else "validation"
    photos = split.test or split.validation
    network = read_network(folder)
    if config.hardware.accelerator != "cpu" and torch.cuda.is_available():
        network = network.cuda()
    validation = read_predictions(folder, "validation") if split.test else None
    answers = answers_of(config.member, read_predictions(folder, part), validation)
    sizes = ", ".join(f"{count:,} {name}" for name, count in split.sizes.items() if count)
    subject = Subject(
        answers=answers,
        history=history,
        facts={
            "Architecture": f"{config.model.architecture}, {sum(p.numel() for p in network.parameters()):,} parameters",
            "Input": f"{config.model.input_size} × {config.model.input_size} pixels",
        },
    )
    facts = {
        "Photos": sizes,
        "Origin": config.dataset.origin,
        "Licence": config.dataset.licence,
        "Split": split.hash[:16],
    }
    judged = Judged(dataset.task, [subject], {config.member: network}, photos, part, facts)
    options = config.evaluation
    views = views_of(judged, split.hash) if options.views > 1 else None
    return evaluate(judged, views, options.worst, options.attributions, folder / PAGE if options.page else None)


def evaluate(judged: Judged, views: Answers | None, worst: int, attributions: int, page: Path | None) -> dict[str, Any]:
    """Compute all figures and write the page where one is asked for.

    Args:
        judged: who is judged on what.
        views: answers over several views of each photo, reported apart.
        worst: mistakes to list.
        attributions: photos to explain by Grad-CAM; none without a page.
        page: the file to write.

    Returns:
        The figures, JSON-ready.

    Raises:
        PhotoError: a photo is missing or unreadable.
        ModelFolderError: the page cannot be written.
    """
    members = [subject.answers for subject in judged.subjects]
    keys = [info.key for info in judged.task.classes]
    numbers = analyse(members, keys, judged.photos, judged.part, worst, views)
    if page is not None:
        whole = average(members)
        pictures, says = explain(judged.networks, judged.photos, whole, attributions)
        numbers["attributions"] = {"method": METHOD, "members": says}
        context = context_of(judged.task, judged.subjects, whole, judged.photos, judged.facts, numbers, pictures)
        try:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(render("evaluation.html.jinja", **context), encoding="utf-8")
        except OSError as error:
            raise ModelFolderError(
                f"{page} cannot be written: {error}. Give --out a file in a folder you may write to."
            ) from error
    return numbers


def views_of(judged: Judged, split_hash: str) -> Answers:
    """The members' answers over the eight ways in which a photo lies; as trained, without temperatures."""
    return average(
        [
            answers_of(name, predict(network, judged.photos, split_hash, views=8), None)
            for name, network in judged.networks.items()
        ]
    )
