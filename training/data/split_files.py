"""A split, and its file: a CSV that can be committed, checked and used again.

The first line is `# split sha256 <hash> groups <number>`, then columns `image_id,label,part`, sorted by part and id; a
part is `train`, `validation`, `test` or `left_out`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from training.data.dataset import Dataset
from training.data.photos import Photo
from training.errors import SplitError

PARTS = ("train", "validation", "test")
_ALL = (*PARTS, "left_out")
_HEAD = re.compile(r"# split sha256 ([0-9a-f]{64}) groups ([0-9]+)")


@dataclass(frozen=True)
class Split:
    """Three disjoint lists of photos and the hash that says two members used the same ones."""

    train: list[Photo]
    validation: list[Photo]
    test: list[Photo]
    groups: int
    """Number of groups of photos that stay together, singles included."""
    left_out: list[Photo] = field(default_factory=list)
    """Too much like a photo of the own test folder: they take part in nothing."""

    @property
    def sizes(self) -> dict[str, int]:
        """Number of photos per part."""
        return {part: len(getattr(self, part)) for part in PARTS}

    @property
    def hash(self) -> str:
        """sha256 (hex) over part, image id and label of every photo."""
        lines = [
            f"{part}\t{photo.image_id}\t{photo.label}\n"
            for part in PARTS
            for photo in sorted(getattr(self, part), key=lambda photo: photo.image_id)
        ]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_split(split: Split, path: Path) -> None:
    """Write the CSV; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# split sha256 {split.hash} groups {split.groups}\n")
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("image_id", "label", "part"))
        for part in _ALL:
            for photo in sorted(getattr(split, part), key=lambda each: each.image_id):
                table.writerow((photo.image_id, photo.label, part))


def read_split(path: Path, dataset: Dataset) -> Split:
    """Read a split and find its photos.

    Returns:
        The split; photos of the data set that it does not name take part in nothing and are not counted.

    Raises:
        SplitError: the file is missing, was changed, or names photos or labels that the data set has not.
    """
    of_id = {photo.image_id: photo for photo in dataset.photos}
    parts: dict[str, list[Photo]] = {part: [] for part in _ALL}
    try:
        head, _, rest = path.read_text(encoding="utf-8").partition("\n")
        rows = [(row["image_id"], int(row["label"]), row["part"]) for row in csv.DictReader(io.StringIO(rest))]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise SplitError(f"{path} cannot be read as a split file: {error!r}. Write it again by a run.") from error
    for image_id, label, part in rows:
        photo = of_id.get(image_id)
        if photo is None or photo.label != label or part not in parts:
            state = "is missing or unusable" if photo is None else f"has label {photo.label}, not {label}"
            raise SplitError(
                f"{path} names {image_id} ({part}), which {state} in the data: use the photos that the split was made of, "
                "or leave dataset.split_file empty."
            )
        parts[part].append(photo)
    stated = _HEAD.fullmatch(head.strip())
    split = Split(
        parts["train"], parts["validation"], parts["test"], int(stated[2]) if stated else 0, parts["left_out"]
    )
    if stated is None or stated[1] != split.hash:
        raise SplitError(f"{path} does not have the hash that its first line should state: it was changed. Restore it.")
    return split
