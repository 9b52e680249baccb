"""`evaluate`: trained-model folders judged again on their own validation and test photos."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch

from training.config.groups import DatasetConfig
from training.data.layouts import list_photos
from training.data.photos import Photo
from training.evaluation.folders import Member, largest_difference, open_members, photos_of, recompute
from training.evaluation.members import Answers, answers_of, average
from training.evaluation.metrics import compute_metrics
from training.evaluation.report_page import Judged, evaluate, views_of
from training.evaluation.sections import Subject
from training.folder import PARTS, Predictions
from training.tasks import Task


def evaluate_folders(
    folders: Sequence[Path],
    root: Path,
    device: torch.device,
    page: Path | None = None,
    views: int = 1,
    worst: int = 24,
    attributions: int = 8,
) -> dict[str, Any]:
    """Evaluate trained-model folders again on the photos they were evaluated on; several are averaged too.

    Args:
        folders: of members that share classes and split.
        root: the data folder.
        device: where the networks run.
        page: report page to write.
        views: 8 judges flips and quarter turns as well.
        worst, attributions: mistakes and Grad-CAM maps on the page, numbers.

    Returns:
        Folder name → part → metrics, with `largest_logit_difference` from the stored logits. Several folders
        add `average`: the metrics of their averaged probabilities. The last entry also holds `evaluation`: all
        figures of the test photos, of the only member or of the average.

    Raises:
        ModelFolderError: a folder is not complete, or the folders differ in split or classes.
        DataError: the photos are not those of the folders, or unusable.
    """
    members = open_members(folders)
    task, keys = members[0].task, [info.key for info in members[0].task.classes]
    photos = photos_of(members[0], _listed(members[0], root, task))
    results: dict[str, Any] = {}
    again: dict[str, dict[str, Predictions]] = {}
    for member in members:
        member.network.to(device)
        again[member.name] = recompute(member, photos_of(member, [*photos["validation"], *photos["test"]]))
        results[member.name] = {
            part: compute_metrics(found.logits, found.labels, keys)
            | {"largest_logit_difference": largest_difference(found, member.stored[part])}
            for part, found in again[member.name].items()
            if len(found.labels)
        }
    if len(members) > 1:
        results["average"] = {part: _average(again, part, keys) for part in PARTS if photos[part]}
    part = "test" if photos["test"] else "validation"
    judged = Judged(
        task,
        [Subject(_answers(member, again[member.name], part), _history(member), _facts(member)) for member in members],
        {member.name: member.network for member in members},
        photos[part],
        part,
        _shared_facts(members[0]),
    )
    seen = views_of(judged, members[0].stored[part].split_hash) if views > 1 else None
    list(results.values())[-1]["evaluation"] = evaluate(judged, seen, worst, attributions, page)
    return results


def _answers(member: Member, again: dict[str, Predictions], part: str) -> Answers:
    return answers_of(member.name, again[part], again["validation"] if part == "test" else None)


def _average(again: dict[str, dict[str, Predictions]], part: str, keys: list[str]) -> dict[str, Any]:
    whole = average([answers_of(name, found[part], None) for name, found in again.items()])
    return compute_metrics(whole.logits, whole.labels, keys)


def _listed(member: Member, root: Path, task: Task) -> list[Photo]:
    """Photos as the run that trained the member listed them; all of them where it took part of a set for a trial."""
    stored = _report(member).get("configuration", {}).get("dataset", {})
    known = {name: value for name, value in stored.items() if name in DatasetConfig.model_fields}
    return list_photos(root, DatasetConfig(**{**known, "limit": 0}), task).photos


def _report(member: Member) -> dict[str, Any]:
    return cast("dict[str, Any]", _json(member.folder / "report.json") or {})


def _history(member: Member) -> list[dict[str, Any]]:
    found = _json(member.folder / "history.json") or []
    return cast("list[dict[str, Any]]", found if isinstance(found, list) else found.get("epochs", []))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # facts beside the figures, which do not need them
        return None


def _facts(member: Member) -> dict[str, str]:
    stored = cast("dict[str, Any]", member.network.pretrained_cfg)
    parameters = sum(parameter.numel() for parameter in member.network.parameters())
    return {
        "Architecture": f"{stored.get('architecture', member.name)}, {parameters:,} parameters",
        "Input": f"{stored['input_size'][-1]} × {stored['input_size'][-2]} pixels",
    }


def _shared_facts(member: Member) -> dict[str, str]:
    report = _report(member)
    sizes = report.get("split", {}).get("sizes", {})
    return {
        "Photos": ", ".join(f"{count:,} {name}" for name, count in sizes.items() if count) or "not stated",
        "Origin": report.get("data", {}).get("origin", "not stated"),
        "Licence": report.get("data", {}).get("licence", "not stated"),
        "Split": member.stored["test"].split_hash[:16],
    }
