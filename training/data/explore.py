"""One page about a data folder: balance, problems, sizes, near-duplicates, samples, what augmentation makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from training.config.groups import DatasetConfig, TrainingConfig
from training.data.dataset import Dataset
from training.data.groups import duplicate_groups, hamming, near_pairs
from training.data.photos import Photo, progress
from training.data.pictures import augmented, strip, thumbnail
from training.data.problems import summary
from training.data.split import Split, split_dataset
from training.data.split_files import PARTS
from training.errors import SplitError
from training.evaluation.charts import Plot, even_ticks
from training.evaluation.page import render

SAMPLES = 8
SHOWN_PROBLEMS = 100
SHOWN_PAIRS = 12
SHOWN_AUGMENTED = 12
FURTHEST = 6
"""Bits; near-duplicates are counted up to this distance, or the configured one."""


def write_page(dataset: Dataset, root: Path, config: TrainingConfig, out: Path) -> None:
    """Write one HTML file without scripts, pictures inside; its folder is made.

    Args:
        dataset: as `survey` gives it; its problems are listed.
        root: the data folder; only its name is shown.
        config: what the split and the augmented pictures follow.
        out: the file.
    """
    split, refusal = _split(dataset, config.dataset)
    context = {
        "title": root.resolve().name,
        "dataset": dataset,
        "config": config,
        "classes": _classes(dataset, split),
        "split": split,
        "refusal": refusal,
        "problems": dataset.problems[:SHOWN_PROBLEMS],
        "problem_summary": summary(dataset.problems),
        "harmful": sum(problem.harmful for problem in dataset.problems),
        "sizes": _sizes(dataset, config),
        "duplicates": _duplicates(dataset, config.dataset),
        "augmented": _augmented(dataset, config),
        "written": f"{datetime.now().astimezone():%d %B %Y, %H:%M %Z}",
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(render("explore.html.jinja", **context), encoding="utf-8")


def _split(dataset: Dataset, config: DatasetConfig) -> tuple[Split | None, str]:
    try:
        return split_dataset(dataset, config), ""
    except SplitError as error:
        return None, str(error)


def _classes(dataset: Dataset, split: Split | None) -> list[dict[str, Any]]:
    of_class: list[list[Photo]] = [[] for _ in dataset.task.classes]
    for photo in dataset.photos:
        of_class[photo.label].append(photo)
    parts = {part: Counter(photo.label for photo in getattr(split, part)) for part in PARTS} if split else {}
    most = max(map(len, of_class))
    return [
        {
            "key": info.key,
            "name": info.names["en"],
            "photos": len(photos),
            "share": len(photos) / len(dataset.photos),
            "of_most": len(photos) / most,
            "parts": {part: counts[label] for part, counts in parts.items()},
            "samples": strip([thumbnail(photo) for photo in _spread(photos, SAMPLES)]) if photos else "",
            "shown": min(SAMPLES, len(photos)),
        }
        for label, (info, photos) in enumerate(zip(dataset.task.classes, progress(of_class, "Drawing"), strict=True))
    ]


def _spread(items: Sequence[Photo], count: int) -> list[Photo]:
    return [items[index * len(items) // count] for index in range(count)] if len(items) > count else list(items)


def _sizes(dataset: Dataset, config: TrainingConfig) -> dict[str, Any]:
    sizes = Counter((each.width, each.height) for each in dataset.fingerprints)
    shorter = np.array([min(each.width, each.height) for each in dataset.fingerprints])
    return {
        "chart": _size_chart(sizes),
        "common": sizes.most_common(6),
        "distinct": len(sizes),
        "median": int(np.median(shorter)),
        "least": int(shorter.min()),
        "magnified": int((shorter < config.model.input_size).sum()),
        "formats": Counter(photo.path.suffix.lower().lstrip(".") or "none" for photo in dataset.photos).most_common(),
    }


def _size_chart(sizes: Counter[tuple[int, int]]) -> Markup:
    largest = even_ticks(max(max(size) for size in sizes))
    common = sizes.most_common(1)[0]
    plot = Plot(
        "Width and height of the photos",
        f"{len(sizes)} sizes; the commonest is {common[0][0]} x {common[0][1]} pixels, {common[1]} photos.",
        (0, largest[-1]), (0, largest[-1]), "width, pixels", "height, pixels", largest, largest,
    )  # fmt: skip
    plot.line([(0, 0), (largest[-1], largest[-1])], "chance")
    most = common[1]
    for (width, height), count in sizes.most_common(400):
        plot.dot((width, height), 2.5 + 6.5 * (count / most) ** 0.5, "bin", f"{width} x {height}: {count} photos")
    return plot.svg


def _duplicates(dataset: Dataset, config: DatasetConfig) -> dict[str, Any]:
    furthest = max(FURTHEST, config.duplicate_distance)
    first, second = near_pairs(dataset.fingerprints, furthest)
    apart = hamming(dataset.fingerprints, first, second)
    rows = []
    for distance in sorted({0, 1, 2, 4, furthest, config.duplicate_distance}):
        sizes = np.bincount(duplicate_groups(dataset.fingerprints, distance))
        rows.append(
            {
                "distance": distance,
                "chosen": distance == config.duplicate_distance,
                "groups": int((sizes > 1).sum()),
                "photos": int(sizes[sizes > 1].sum()),
                "largest": int(sizes.max()),
            }
        )
    labels = np.array([photo.label for photo in dataset.photos])
    differ = labels[first] != labels[second]
    # what contradicts the labels first, then the nearest
    order = np.lexsort((apart, ~differ))[:SHOWN_PAIRS]
    return {
        "rows": rows,
        "furthest": furthest,
        "contradictions": int((differ & (apart <= config.duplicate_distance)).sum()),
        "pairs": [_pair(dataset, int(first[k]), int(second[k]), int(apart[k])) for k in order],
    }


def _pair(dataset: Dataset, first: int, second: int, apart: int) -> dict[str, Any]:
    photos = dataset.photos[first], dataset.photos[second]
    names = [dataset.task.names[photo.label] for photo in photos]
    return {
        "picture": strip([thumbnail(photo) for photo in photos]),
        "ids": [photo.image_id for photo in photos],
        "names": names,
        "same": names[0] == names[1],
        "distance": apart,
    }


def _augmented(dataset: Dataset, config: TrainingConfig) -> list[dict[str, Any]]:
    shown = []
    for label, info in list(enumerate(dataset.task.classes))[:SHOWN_AUGMENTED]:
        photos = [photo for photo in dataset.photos if photo.label == label and photo.image_id not in dataset.test_ids]
        if photos:
            photo = photos[len(photos) // 2]
            pictures = [thumbnail(photo), *augmented(photo, config, SAMPLES - 1)]
            shown.append({"name": info.names["en"], "image_id": photo.image_id, "pictures": strip(pictures)})
    return shown
