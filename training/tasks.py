"""Task files: the ordered classes of one crop or subject, with names and advice per language."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from training.errors import ConfigurationError, LabelError

TASKS = Path(__file__).parent / "tasks"

Texts = dict[str, str]


class ClassInfo(BaseModel):
    """One class: stable key, display names, advice and the source of the advice."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    names: Texts
    advice: Texts
    source: str = Field(min_length=1)


class Task(BaseModel):
    """A task; a class's position is its label. Written as `classes.json` of the trained-model folder."""

    model_config = ConfigDict(extra="forbid")

    task: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    crop: Texts
    languages: list[str] = Field(min_length=1)
    unreviewed_languages: list[str] = []
    classes: list[ClassInfo] = Field(min_length=2)

    @model_validator(mode="after")
    def _every_language_everywhere(self) -> Task:
        if "en" not in self.languages:
            raise ValueError("languages must contain 'en'")
        for info in self.classes:
            for texts in (info.names, info.advice):
                if missing := set(self.languages) - set(texts):
                    raise ValueError(f"class {info.key} lacks {', '.join(sorted(missing))}")
        if len({info.key for info in self.classes}) != len(self.classes):
            raise ValueError("class keys must differ")
        return self

    @property
    def names(self) -> list[str]:
        """English display names in label order."""
        return [info.names["en"] for info in self.classes]


def load_task(name_or_path: str) -> Task:
    """Read a task by name (`training/tasks/NAME.json`) or by path.

    Raises:
        ConfigurationError: no such file, or it breaks the schema above.
    """
    path = Path(name_or_path) if name_or_path.endswith(".json") else TASKS / f"{name_or_path}.json"
    try:
        return Task.model_validate_json(path.read_bytes())
    except OSError as error:
        known = ", ".join(sorted(task.stem for task in TASKS.glob("*.json")))
        raise ConfigurationError(f"No task file {path}: give one of {known}, or the path of a .json file.") from error
    except ValidationError as error:
        raise ConfigurationError(f"{path} is not a task file: {error}") from error


def check_label_map(task: Task, path: Path) -> None:
    """Compare a `label_num_to_disease_map.json` (label → name) with the task, so that swapped classes are noticed.

    A name may carry more than the task's, as in "Cassava Mosaic Disease (CMD)".

    Raises:
        LabelError: the file is unreadable, or a label's name differs from the task's.
    """
    try:
        label_map = {int(label): str(name) for label, name in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise LabelError(f"{path} cannot be read as a JSON object from label to name: {error}") from error
    expected = dict(enumerate(task.names))
    if label_map.keys() != expected.keys():
        raise LabelError(f"{path} has the labels {sorted(label_map)}, task {task.task} has {sorted(expected)}.")
    for label, name in expected.items():
        if not label_map[label].casefold().startswith(name.casefold()):
            raise LabelError(
                f"{path} calls label {label} {label_map[label]!r}, task {task.task} calls it {name!r}: correct one."
            )
