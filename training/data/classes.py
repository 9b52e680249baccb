"""From what a table or a folder calls a class to its label, and a task made from folder names."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from training.errors import LabelError
from training.tasks import ClassInfo, Task

LABEL_MAP = "label_map.json"
"""Beside the photos: a JSON object from what tables or folders call a class to its key, name or number."""


class ClassNames:
    """Finds labels by number, key, display name in any language, or by an own label map."""

    def __init__(self, task: Task, label_map: Mapping[str, str] | None = None) -> None:
        self._classes = len(task.classes)
        self._labels: dict[str, int] = {}
        for label, info in enumerate(task.classes):
            for name in (info.key, *info.names.values()):
                self._labels[slug(name)] = label
        for name, target in (label_map or {}).items():
            found = self.label(target)
            if found is None:
                raise LabelError(
                    f"{LABEL_MAP} maps {name!r} to {target!r}, which task {task.task} does not have: "
                    f"give one of {', '.join(info.key for info in task.classes)}."
                )
            self._labels[slug(name)] = found

    def label(self, name: str) -> int | None:
        """Label of a class, None where nothing of that name is known."""
        name = name.strip()
        if re.fullmatch(r"[0-9]{1,9}", name):
            mapped = self._labels.get(slug(name))
            return mapped if mapped is not None else int(name) if int(name) < self._classes else None
        return self._labels.get(slug(name))


def read_label_map(folder: Path) -> dict[str, str]:
    """Read `label_map.json`; empty where there is none.

    Raises:
        LabelError: it is no JSON object from text to text or number.
    """
    path = folder / LABEL_MAP
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or not all(isinstance(value, str | int) for value in values.values()):
            raise ValueError("not an object from name to class")
    except (OSError, ValueError) as error:
        raise LabelError(f'{path} cannot be read as {{"name in the data": "class key"}}: {error}') from error
    return {str(name): str(value) for name, value in values.items()}


def task_of_names(names: Sequence[str], subject: str) -> Task:
    """A task whose classes are `names`, in this order, with advice that says that nobody wrote any.

    Args:
        names: class folders' names, or those of a label map; at least two.
        subject: the data folder's name; becomes the task's.

    Raises:
        LabelError: fewer than two names, or two that differ only in case or punctuation.
    """
    if len(names) < 2:
        raise LabelError(f"A task needs two classes or more; {subject} has {', '.join(names) or 'none'}.")
    slugs: dict[str, str] = {}
    keys: dict[str, str] = {}
    for position, name in enumerate(names):
        if (same := slug(name)) in slugs:
            raise LabelError(
                f"The classes {slugs[same]!r} and {name!r} differ only in case or punctuation: rename one."
            )
        slugs[same] = name
        key = _key(name)
        keys[key if key and key not in keys else f"{key or 'class'}_{position}"] = name
    return Task(
        task=_key(subject) or "photos",
        crop={"en": _readable(subject).lower()},
        languages=["en"],
        classes=[
            ClassInfo(
                key=key,
                names={"en": _readable(name)},
                advice={
                    "en": f"The photo resembles those that were labelled {_readable(name)!r} when the model was trained. "
                    "Nobody has written advice for this class: ask somebody who knows the subject before you act on it."
                },
                source="none: the class is a label of the training data, without advice of its own",
            )
            for key, name in keys.items()
        ],
    )


def slug(name: str) -> str:
    """Lower case with one underscore for whatever is neither letter nor digit: `Apple___Black rot` → `apple_black_rot`."""
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")


def _key(name: str) -> str:
    """Letters without accents, digits and underscores; empty where the name has none of them."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    key = slug(plain)
    return key if not key or key[0].isalpha() else f"class_{key}"


def _readable(name: str) -> str:
    words = re.sub(r"_{2,}", ": ", name.strip().strip("_"))
    words = re.sub(r"[_\s]+", " ", words).strip()
    return words[:1].upper() + words[1:] if words else "Class"
