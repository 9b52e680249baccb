"""Commands as typed settings: flags are a class's fields, mistakes are named with the nearest known word."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import BaseSettings, CliApp, PydanticBaseSettingsSource, SettingsConfigDict

from training.config.groups import TrainingConfig
from training.config.presets import load_presets, merge_values
from training.errors import ConfigurationError

C = TypeVar("C", bound="Command")


class Command(BaseSettings):
    """Base of a command's flags; the class's docstring is what `--help` says of it."""

    model_config = SettingsConfigDict(extra="forbid", protected_namespaces=(), populate_by_name=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Presets below, command line above; a stray variable named MODEL or DATA must not change a run."""
        return (init_settings,)


class ConfiguredCommand(TrainingConfig, Command):  # type: ignore[misc]  # settings and model name their options apart
    """Base of commands that take presets and every field of the configuration."""

    config: str = Field(
        description="presets in training/presets or .yaml paths, separated by commas, the later over the earlier; "
        "fields given as flags win over them"
    )
    data: Path | None = Field(None, description="folder with the photos; the task synthetic draws its own")

    @property
    def training(self) -> TrainingConfig:
        """The configuration without the command's own flags."""
        return TrainingConfig(**{name: getattr(self, name) for name in TrainingConfig.model_fields})


class SurveyCommand(ConfiguredCommand):
    """Base of commands that look at photos and train nothing, for which no preset is needed."""

    config: str = Field("", description="presets as for fit; without one the classes are read off the data")


def parse(command: type[C], arguments: Sequence[str]) -> C:
    """Read the flags of a command, over the presets that `--config` names where it has one.

    Raises:
        ConfigurationError: an unknown flag or key, or a value that does not fit; names the nearest known one.
        SystemExit: `--help` was asked for.
    """
    _known_flags_only(command, arguments)
    values: dict[str, Any] = {}
    if issubclass(command, ConfiguredCommand):
        given = _config_of(arguments)
        values = load_presets(given) if given else {}
        if any(word.partition("=")[0] == "--schedule.stages" for word in arguments):
            values = merge_values(values, {"schedule": {"stages": []}})
    try:
        return CliApp.run(command, cli_args=list(arguments), **values)
    except ValidationError as error:
        raise ConfigurationError(explain(error, command)) from error


def configuration(values: dict[str, Any]) -> TrainingConfig:
    """Validate what presets say.

    Raises:
        ConfigurationError: as `parse`.
    """
    try:
        return TrainingConfig(**values)
    except ValidationError as error:
        raise ConfigurationError(explain(error, TrainingConfig)) from error


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """One line per problem: the field, what is wrong, what was given, and the nearest known key for an unknown one."""
    lines = []
    for problem in error.errors():
        field = ".".join(str(part) for part in problem["loc"]) or "configuration"
        if problem["type"] == "extra_forbidden":
            lines.append(f"{field}: no such key.{_meant(field, [name.removeprefix('--') for name in _flags(model)])}")
        elif problem["type"] == "missing":
            lines.append(f"{field}: give --{field}.")
        else:
            given = "" if isinstance(problem["input"], dict) else f" (given: {problem['input']!r})"
            lines.append(f"{field}: {problem['msg'].removeprefix('Value error, ')}{given}")
    return "\n".join(lines)


def _flags(model: type[BaseModel], prefix: str = "--") -> list[str]:
    names = []
    for name, info in model.model_fields.items():
        shown = info.alias or name
        names.append(f"{prefix}{shown}")
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            names += _flags(info.annotation, f"{prefix}{shown}.")
    return names


def _known_flags_only(command: type[Command], arguments: Sequence[str]) -> None:
    known = {*_flags(command), "--help"}
    groups = {name.rpartition(".")[0] for name in known if "." in name}
    for word in arguments:
        flag = word.partition("=")[0]
        # a mapping's entry may be given by itself: --model.arguments.channels
        if flag.startswith("--") and not any(
            flag == name or (name not in groups and flag.startswith(f"{name}.")) for name in known
        ):
            raise ConfigurationError(f"{flag}: no such flag.{_meant(flag, known)} `--help` lists all.")


def _meant(name: str, known: Iterable[str]) -> str:
    known = sorted(known)
    near = difflib.get_close_matches(name, known, 1, 0.5)
    if not near:  # the right field under another group, or an older name
        last = name.rpartition(".")[2].removeprefix("--")
        near = [each for each in known if each.rpartition(".")[2].removeprefix("--") == last][:1]
    return f" Did you mean {near[0]}?" if near else ""


def _config_of(arguments: Sequence[str]) -> str | None:
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--config")
    given: str | None = finder.parse_known_args(list(arguments))[0].config
    return given
