"""Presets: YAML files that state some fields, may build on others, and are laid over one another."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from training.config.groups import TrainingConfig
from training.errors import ConfigurationError

PRESETS = Path(__file__).parents[1] / "presets"

Values = dict[str, Any]


def known_presets() -> list[str]:
    """Names of all presets, such as `debug` and `augmentation/strong`."""
    return sorted(path.relative_to(PRESETS).with_suffix("").as_posix() for path in PRESETS.rglob("*.yaml"))


def load_presets(names: str) -> Values:
    """Read one or several presets, the later over the earlier, field by field.

    Args:
        names: names below training/presets or paths of .yaml files, separated by commas.

    Returns:
        Group → field → value, not validated.

    Raises:
        ConfigurationError: no such preset, not YAML, not a mapping of groups, or a preset that extends itself.
    """
    values: Values = {}
    for name in names.split(","):
        values = merge_values(values, _load(name.strip(), PRESETS, ()))
    return values


def merge_values(below: Values, above: Values) -> Values:
    """Lay `above` over `below`, field by field within each group; a field's value is replaced whole."""
    merged = dict(below)
    for group, fields in above.items():
        under = merged.get(group)
        if not isinstance(under, dict) or not isinstance(fields, dict):
            merged[group] = fields
            continue
        merged[group] = {**under, **fields}
        if group == "schedule" and "stages" in fields and "epochs" not in fields:
            merged[group].pop("epochs", None)  # new stages say themselves how long they are
    return merged


def _load(name: str, beside: Path, above: Sequence[Path]) -> Values:
    path = _find(name, beside)
    if path in above:
        raise ConfigurationError(f"{path} extends itself: take {name!r} out of its `extends`.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise ConfigurationError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path} must be a mapping with the groups {', '.join(TrainingConfig.model_fields)}.")
    extended = values.pop("extends", [])
    if isinstance(extended, str):
        extended = [extended]
    if not (isinstance(extended, list) and all(isinstance(each, str) for each in extended)):
        raise ConfigurationError(f"{path}: `extends` must be a preset's name or a list of names.")
    merged: Values = {}
    for each in extended:
        merged = merge_values(merged, _load(each, path.parent, (*above, path)))
    return merge_values(merged, values)


def _find(name: str, beside: Path) -> Path:
    if Path(name).suffix in {".yaml", ".yml"}:
        path = Path(name) if beside == PRESETS else beside / name  # a path in `extends` starts at the file
    else:
        path = PRESETS / f"{name}.yaml"
    if not path.is_file():
        near = difflib.get_close_matches(name, known_presets(), 1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise ConfigurationError(
            f"No preset {name!r}.{meant} Give one of {', '.join(known_presets())}, or the path of a .yaml file."
        )
    return path.resolve()
