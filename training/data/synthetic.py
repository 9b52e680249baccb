"""A drawn data set in Kaggle's layout, so that everything can be tried without photos."""

from __future__ import annotations

import csv
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from training.config.groups import DatasetConfig
from training.data.dataset import processors
from training.data.layouts import DISEASE_MAP, TASK_FILE
from training.data.leaves import COLOURS, FORMS, Lesions, draw_leaf
from training.data.photos import progress
from training.data.tables import IMAGES, TABLE
from training.errors import ConfigurationError, DataLayoutError
from training.tasks import ClassInfo, Task

TASK = "synthetic"
FOLDER = Path("build/synthetic")
"""Where `--config synthetic` finds its pictures, or puts them."""
MOST_CLASSES = len(FORMS) * len(COLOURS)


def class_lesions(classes: int) -> list[Lesions | None]:
    """Lesions of each class in label order; the last class is healthy (None).

    Args:
        classes: 2 to 40. Forms and colours change together, so that few classes differ in both.

    Raises:
        ConfigurationError: fewer or more classes.
    """
    if not 2 <= classes <= MOST_CLASSES:
        raise ConfigurationError(f"--classes must be 2 to {MOST_CLASSES}: so many forms and colours there are.")
    forms, colours = list(FORMS), list(COLOURS)
    # 8 forms and 5 colours have no common factor: counting both round meets each pair once in 40
    return [Lesions(forms[k % len(forms)], colours[k % len(colours)]) for k in range(classes - 1)] + [None]


def synthetic_task(classes: int) -> Task:
    """The task of the drawn classes; its advice says that it is none.

    Raises:
        ConfigurationError: as `class_lesions`.
    """
    infos = []
    for lesions in class_lesions(classes):
        name = "healthy" if lesions is None else f"{lesions.colour} {lesions.form}"
        infos.append(
            ClassInfo(
                key=name.replace(" ", "_"),
                names={"en": name.capitalize()},
                advice={
                    "en": f"A drawn leaf, {'without lesions' if lesions is None else f'with {name}'}. This class is made up "
                    "to try the software: it stands for no disease, and nothing follows from it for a real plant."
                },
                source="none: the class is made up",
            )
        )
    return Task(task=TASK, crop={"en": "drawn leaf"}, languages=["en"], classes=infos)


def generate(out: Path, classes: int = 5, photos: int = 100, seed: int = 0, height: int = 192) -> int:
    """Draw the pictures and write them with table, label map and task file.

    The same numbers give the same pictures. All is written aside and renamed, so that `out` is whole or absent.

    Args:
        out: must not exist, or be empty.
        classes: 2 to 40.
        photos: pictures per class.
        seed: of the pictures.
        height: pixels of a picture; the width is 4/3 of it.

    Returns:
        Pictures written.

    Raises:
        ConfigurationError: a number is out of its range.
        DataLayoutError: `out` holds something or cannot be written.
    """
    if photos < 1 or height < 32 or seed < 0:
        raise ConfigurationError("--photos must be at least 1, --height at least 32 pixels, --seed not negative.")
    task = synthetic_task(classes)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataLayoutError(f"{out} exists already and is not touched: name a new folder.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
            aside = Path(scratch) / out.name
            (aside / IMAGES).mkdir(parents=True)
            names = _draw(aside / IMAGES, classes, photos, seed, height)
            _describe(aside, task, names)
            aside.replace(out)
    except OSError as error:
        raise DataLayoutError(f"{out} cannot be written: {error}. Give a folder that you may write to.") from error
    return len(names)


def data_folder(given: Path | None, config: DatasetConfig) -> Path:
    """The data folder of a run: the one that was given, or drawn pictures for the task `synthetic`.

    Raises:
        ConfigurationError: none was given for another task.
    """
    if given is not None:
        return given
    if config.task != TASK:
        raise ConfigurationError(f"data: give --data, the folder with the photos of task {config.task}.")
    if not FOLDER.exists():
        generate(FOLDER)
    return FOLDER


def _draw(folder: Path, classes: int, photos: int, seed: int, height: int) -> list[tuple[str, int]]:
    names = [(f"{label:02d}_{number:04d}.jpg", label) for number in range(photos) for label in range(classes)]
    jobs = [(folder / name, classes, label, (seed, label, int(name[3:7])), height) for name, label in names]
    with ThreadPoolExecutor(processors()) as pool:
        list(progress(pool.map(_draw_one, jobs), "Drawing", len(jobs)))
    return sorted(names)


def _draw_one(job: tuple[Path, int, int, tuple[int, int, int], int]) -> None:
    path, classes, label, seed, height = job
    draw_leaf(np.random.default_rng(seed), class_lesions(classes)[label], height).save(path, quality=90)


def _describe(folder: Path, task: Task, names: list[tuple[str, int]]) -> None:
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("image_id", "label"))
        table.writerows(names)
    (folder / DISEASE_MAP).write_text(json.dumps(dict(enumerate(task.names)), indent=2) + "\n", encoding="utf-8")
    (folder / TASK_FILE).write_text(json.dumps(task.model_dump(), indent=2) + "\n", encoding="utf-8")
