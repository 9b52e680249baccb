"""The layout `kaggle`: `train.csv` with the columns `image_id,label`, and the folder `train_images/`."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

from training.data.classes import ClassNames
from training.data.listing import SUFFIXES, Listing, below, files_below, odd_name
from training.data.photos import Photo
from training.data.problems import Problem
from training.errors import DataLayoutError
from training.tasks import Task

TABLE = "train.csv"
IMAGES = "train_images"


def list_table(folder: Path, root: Path, task: Task, names: ClassNames) -> Listing:
    """List the photos that the table names.

    Image ids are the table's; below a subfolder of `root` its path stands before them. An id may lack its file's suffix. A
    row given twice is kept once where the labels agree and dropped where they differ.

    Raises:
        DataLayoutError: the table or a column is missing, or it is no UTF-8 CSV.
    """
    table = folder / TABLE
    content, rows = _read(table)
    files = {below(path, folder / IMAGES): path for path in files_below(folder / IMAGES)}
    by_stem = _by_stem(files)
    prefix = "" if folder == root else f"{below(folder, root)}/"
    place = below(table, root)
    photos: dict[str, Photo] = {}
    first: dict[str, tuple[int, int | None]] = {}
    contradicted: set[str] = set()
    problems: list[Problem] = []
    used: set[str] = set()
    for line, image_id, text in rows:
        where = f"{place}:{line}"
        label = names.label(text) if text else None
        name = image_id if image_id in files else by_stem.get(image_id)
        used.add(name or "")
        if image_id and image_id in first:
            same = label == first[image_id][1]
            detail = f"{image_id} is listed twice, first in line {first[image_id][0]}"
            problems.append(
                Problem("duplicate row", where, detail if same else f"{detail} with another label", "Remove one line")
            )
            if not same:
                contradicted.add(image_id)
            continue
        first[image_id] = (line, label)
        if problem := odd_name(image_id, where):
            problems.append(problem)
        elif not image_id or name is None or not files[name].is_file():
            detail = f"{IMAGES}/{image_id} does not exist" if image_id else "the row names no photo"
            problems.append(Problem("missing", where, detail, "Restore the file or remove the line"))
        elif label is None:
            problems.append(
                Problem(
                    "unknown label",
                    where,
                    f"label {text!r} of {image_id} must be 0 to {len(task.classes) - 1} or a class of task {task.task}",
                    "Correct it, or translate it in label_map.json",
                )
            )
        else:
            photos[image_id] = Photo(prefix + image_id, files[name], label)
    problems += [
        Problem("not listed", below(files[name], root), f"{TABLE} has no row for it", "Add a row, or remove the file")
        for name in files
        if name not in used
    ]
    kept = [photo for image_id, photo in photos.items() if image_id not in contradicted]
    return Listing(task, kept, problems=problems, table_sha256=hashlib.sha256(content).hexdigest())


def _by_stem(files: dict[str, Path]) -> dict[str, str]:
    stems: dict[str, str] = {}
    for name, path in files.items():
        if path.suffix.lower() in SUFFIXES:
            stems.setdefault(name[: -len(path.suffix)], name)
    return stems


def _read(table: Path) -> tuple[bytes, list[tuple[int, str, str | None]]]:
    """Bytes, and (line, image id, label) of each row."""
    try:
        content = table.read_bytes()
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        if missing := {"image_id", "label"} - set(reader.fieldnames or ()):
            raise DataLayoutError(
                f"{table} lacks the column {', '.join(sorted(missing))}; its first line must be image_id,label."
            )
        return content, [(reader.line_num, row["image_id"] or "", row["label"]) for row in reader]
    except FileNotFoundError as error:
        raise DataLayoutError(
            f"{table} does not exist: give --data a folder with {TABLE} and {IMAGES}/, or with a folder per class."
        ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataLayoutError(f"{table} cannot be read as UTF-8 CSV: {error}. Write it again.") from error
