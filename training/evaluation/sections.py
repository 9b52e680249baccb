"""What the evaluation page says in each of its sections, from figures to words and drawings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from training.data.photos import Photo
from training.evaluation import charts
from training.evaluation.explaining import Explained
from training.evaluation.members import Answers
from training.evaluation.pictures import data_uri, thumbnail
from training.evaluation.quality import ASPECTS
from training.tasks import Task

_THUMBNAIL = 264  # pixels
_PAIRS = 8
_CURVES = {
    "Loss": (("training", "train_loss"), ("validation", "validation_loss")),
    "Scores on the validation photos": (
        ("macro-F1", "validation_f1_macro"),
        ("accuracy (micro)", "validation_accuracy_micro"),
    ),
    "Learning rate": (("learning rate", "learning_rate"),),
}


@dataclass(frozen=True)
class Subject:
    """One member on the page: its answers, its epochs, and facts to print beside its name."""

    answers: Answers
    history: Sequence[dict[str, Any]]
    facts: dict[str, str]


def context_of(
    task: Task,
    subjects: Sequence[Subject],
    whole: Answers,
    photos: Sequence[Photo],
    facts: dict[str, str],
    numbers: dict[str, Any],
    explained: Sequence[Explained],
) -> dict[str, Any]:
    """Everything that `evaluation.html.jinja` names.

    Args:
        task: for the classes' names.
        subjects: the members.
        whole: the answers that the figures are of, a member's or the average's.
        photos: N photos in the order of the answers.
        facts: what to print about data and split.
        numbers: as `training.evaluation.analysis.analyse` gives them.
        explained: photos with heat maps.

    Raises:
        PhotoError: a photo is missing or unreadable.
    """
    names = {info.key: info.names["en"] for info in task.classes}
    metrics = numbers["metrics"]
    curves = numbers["roc_one_vs_rest"]
    mistakes = [_mistake(row, photos) for row in numbers["worst_mistakes"]]
    return {
        "subject": task.crop["en"],
        "names": names,
        "subjects": subjects,
        "facts": facts,
        "numbers": numbers,
        "hits": sum(row[index] for index, row in enumerate(metrics["confusion_rows_are_truth"])),
        "weakest": min(
            (key for key, row in metrics["recall_per_class"].items() if row["photos"]),
            key=lambda key: float(metrics["recall_per_class"][key]["recall"]),
        ),
        "pairs": _pairs(metrics["confusion_rows_are_truth"], list(names)),
        "roc": charts.roc_chart(curves, metrics["auc_one_vs_rest_per_class"], names) if curves else None,
        "reliability": [
            (title, charts.reliability_chart(found, title), found)
            for when, title in (("before", "As trained"), ("after", "After temperature scaling"))
            if (found := numbers["calibration"][when])
        ],
        "aspects": ASPECTS,
        "mistakes": mistakes,
        "ratio": median(each["ratio"] for each in mistakes) if mistakes else 1,
        "explained": [_explained(each, whole, photos, list(names.values())) for each in explained],
        "curves": {subject.answers.name: _curves(subject.history) for subject in subjects if subject.history},
        "written": f"{datetime.now(UTC):%-d %B %Y}",
    }


def _mistake(row: dict[str, Any], photos: Sequence[Photo]) -> dict[str, Any]:
    path = next(photo.path for photo in photos if photo.image_id == row["image_id"])
    picture = thumbnail(path, _THUMBNAIL)
    return {**row, "picture": data_uri(picture), "ratio": picture.width / picture.height}


def _explained(each: Explained, whole: Answers, photos: Sequence[Photo], names: list[str]) -> dict[str, Any]:
    predicted = int(whole.predicted[each.index])
    return {
        "seen": each.seen,
        "heat": each.heat,
        "image_id": photos[each.index].image_id,
        "truth": names[photos[each.index].label],
        "predicted": names[predicted],
        "probability": float(whole.probabilities[each.index, predicted]),
        "right": predicted == photos[each.index].label,
    }


def _pairs(confusion: list[list[int]], keys: list[str]) -> list[dict[str, Any]]:
    """The most frequent confusions: truth, answer, number, and share of the truth's photos."""
    found: list[dict[str, Any]] = [
        {"truth": keys[row], "predicted": keys[column], "photos": count, "share": count / sum(counts)}
        for row, counts in enumerate(confusion)
        for column, count in enumerate(counts)
        if count and row != column
    ]
    return sorted(found, key=lambda pair: pair["photos"], reverse=True)[:_PAIRS]


def _curves(history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The learning curves that the history has figures for: title, drawing, and (style, name, last value) per curve."""
    drawn = []
    for title, wanted in _CURVES.items():
        series = [
            (name, points)
            for name, key in wanted
            if (points := [(float(row["epoch"]), float(row[key])) for row in history if row.get(key) is not None])
        ]
        if series:
            share = title.startswith("Scores")
            chart = charts.epochs_chart(title, "score, 0 to 1" if share else title.lower(), series, share)
            ends = [(f"s{index}", name, points[-1][1]) for index, (name, points) in enumerate(series)]
            drawn.append({"title": title, "chart": chart, "ends": ends})
    return drawn
