"""Holds dashboards against Grafana's own types: `.venv/charts/bin/python -m deploy.check_dashboards FILE...`

A dashboard is read into the classes that Grafana generates from its schema. Read back it must hold all that the file
holds, since what the classes do not know they drop in silence; and each value must be of the type that they declare.
"""

import enum
import inspect
import json
import sys
import types
import typing
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard


def faults(data: dict[str, Any]) -> list[str]:
    """What is wrong with a dashboard, each with its place; empty where Grafana's schema allows all of it."""
    read = Dashboard.from_json(data)
    known = json.loads(json.dumps(read, cls=JSONEncoder))
    return [*_lost(data, known, "dashboard"), *_mistyped(read, Dashboard, "dashboard")]


def _lost(told: Any, known: Any, place: str) -> list[str]:
    """What the file says and the classes do not hold."""
    if isinstance(told, dict) and isinstance(known, dict):
        found = [f"{place}.{name} is unknown to Grafana" for name in told if name not in known]
        return found + [
            fault for name in told if name in known for fault in _lost(told[name], known[name], f"{place}.{name}")
        ]
    if isinstance(told, list) and isinstance(known, list) and len(told) == len(known):
        return [
            fault for i, pair in enumerate(zip(told, known, strict=True)) for fault in _lost(*pair, f"{place}[{i}]")
        ]
    return [] if told == known else [f"{place} is {told!r} and read as {known!r}"]


def _mistyped(value: Any, hint: Any, place: str) -> list[str]:
    """Values of another type than the classes declare, down to the last one."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is object:
        return _within(value, place)
    if origin in (typing.Union, types.UnionType):
        tries = [_mistyped(value, one, place) for one in inner]
        return min(tries, key=len)
    if origin is list:
        if not isinstance(value, list):
            return [f"{place} is {value!r}, not a list"]
        return [fault for i, one in enumerate(value) for fault in _mistyped(one, inner[0], f"{place}[{i}]")]
    if origin is dict:
        if not isinstance(value, dict):
            return [f"{place} is {value!r}, not an object"]
        return [fault for name, one in value.items() for fault in _mistyped(one, inner[1], f"{place}.{name}")]
    if origin is typing.Literal:
        return [] if value in inner else [f"{place} is {value!r}, not one of {inner}"]
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        allowed = [one.value for one in hint]
        return [] if value in allowed else [f"{place} is {value!r}, not one of {allowed}"]
    if hint is float:
        hint = (int, float)
    if hint in (int, (int, float)) and isinstance(value, bool):
        return [f"{place} is {value!r}, not a number"]
    if hint is not None and not isinstance(value, hint):
        return [f"{place} is {value!r}, not {hint}"]
    return _within(value, place)


def _within(value: Any, place: str) -> list[str]:
    """The same of what an object of Grafana's classes holds."""
    if not type(value).__module__.startswith("grafana_foundation_sdk") or isinstance(value, enum.Enum):
        return []
    hints = typing.get_type_hints(type(value))
    return [
        fault for name, one in vars(value).items() for fault in _mistyped(one, hints.get(name, Any), f"{place}.{name}")
    ]


def main(files: list[str]) -> int:
    """0 where all are valid; else 1, with a line for each fault."""
    plugins.register_default_plugins()
    found = [
        f"{file}: {fault}" for file in files for fault in faults(json.loads(Path(file).read_text(encoding="utf-8")))
    ]
    sys.stderr.writelines(f"{line}\n" for line in found)
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
