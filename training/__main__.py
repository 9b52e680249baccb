"""Command line: `python -m training fit|evaluate|merge`. Exit status 0, or 2 with one line that says what to mend."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, CliApp, PydanticBaseSettingsSource, SettingsConfigDict

from training.config.groups import TrainingConfig, load_preset
from training.errors import TrainingError

USAGE = """usage: python -m training fit --preset NAME --data DIR --out DIR [--group.field VALUE ...]
       python -m training evaluate --model DIR [--model DIR ...] --data DIR [--json true]
       python -m training merge --data DIR --data DIR [--data DIR ...] --out DIR [--task NAME]

`fit --help` lists every field with its unit and default.
"""


class _Command(BaseSettings):
    model_config = SettingsConfigDict(extra="forbid", protected_namespaces=())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Preset below, command line above; a stray variable named MODEL or DATA must not change a run."""
        return (init_settings,)


class Fit(TrainingConfig, _Command):
    """Train one member and write its trained-model folder."""

    model_config = SettingsConfigDict(cli_prog_name="python -m training fit")

    preset: str = Field(description="preset in training/presets, or a .yaml path; fields given here win over it")
    data: Path = Field(description="folder with train.csv and train_images/")
    out: Path = Field(description="trained-model folder to write")


class Evaluate(_Command):
    """Recompute the figures of trained models, and of their average, from the original photos."""

    model_config = SettingsConfigDict(cli_prog_name="python -m training evaluate")

    model: list[Path] = Field(min_length=1, description="trained-model folder; repeat it for the average of several")
    data: Path = Field(description="folder with train.csv and train_images/")
    json_output: bool = Field(False, alias="json", description="print JSON instead of a table")


class Merge(_Command):
    """Write several data folders as one; the label of a photo that lies in several is that of the last."""

    model_config = SettingsConfigDict(cli_prog_name="python -m training merge")

    data: list[Path] = Field(min_length=2, description="folder with train.csv and train_images/; repeat it")
    out: Path = Field(description="folder to write; must not exist, or be empty")
    task: str = Field("cassava", description="task name in training/tasks, or the path of a task JSON file")


def run_fit(arguments: list[str]) -> None:
    """Parse, train, print the figures."""
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--preset")
    preset = finder.parse_known_args(arguments)[0].preset
    values: dict[str, Any] = load_preset(preset) if preset else {}
    command = CliApp.run(Fit, cli_args=arguments, **values)
    config = TrainingConfig(**{name: getattr(command, name) for name in TrainingConfig.model_fields})

    from training.evaluation.metrics import summary
    from training.learning.fit import fit  # torch takes seconds to import; help and mistakes should not

    for part, metrics in fit(config, command.data, command.out).items():
        sys.stdout.write(summary(part, metrics))


def run_evaluate(arguments: list[str]) -> None:
    """Parse, evaluate, print the figures."""
    command = CliApp.run(Evaluate, cli_args=arguments)

    from training.evaluation.metrics import summary
    from training.evaluation.predictions import evaluate_folders

    results = evaluate_folders(command.model, command.data)
    if command.json_output:
        sys.stdout.write(json.dumps(results, indent=2) + "\n")
        return
    for name, parts in results.items():
        for part, metrics in parts.items():
            sys.stdout.write(summary(f"{name}, {part}", metrics))
            if "largest_logit_difference" in metrics:
                sys.stdout.write(
                    f"  largest difference from the stored logits {metrics['largest_logit_difference']:.2g}\n"
                )


def run_merge(arguments: list[str]) -> None:
    """Parse, merge, print how many photos came from where."""
    command = CliApp.run(Merge, cli_args=arguments)

    from training.data.merging import merge
    from training.tasks import load_task

    for folder, count in merge(command.data, load_task(command.task), command.out).items():
        sys.stdout.write(f"{count} photos from {folder}\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    commands = {"fit": run_fit, "evaluate": run_evaluate, "merge": run_merge}
    if not arguments or arguments[0] not in commands:
        asked = bool(arguments) and arguments[0] in {"-h", "--help"}
        (sys.stdout if asked else sys.stderr).write(USAGE)
        return 0 if asked else 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # Advice to whoever writes a Lightning program, not to whoever runs this one.
    warnings.filterwarnings("ignore", module="lightning")
    try:
        commands[arguments[0]](arguments[1:])
    except ValidationError as error:
        for problem in error.errors():
            field = ".".join(str(part) for part in problem["loc"]) or "configuration"
            sys.stderr.write(f"error: {field}: {problem['msg']} (given: {problem['input']!r})\n")
        return 2
    except TrainingError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
