"""`python -m training folds`: cross-validate one or several recipes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from training.config.command_line import ConfiguredCommand, parse

SUMMARY = "cross-validate one or several recipes and their average"


class Folds(ConfiguredCommand):
    """Cross-validate recipes on the same folds; the same command again goes on after an interruption.

    Give --config once per recipe: with several, their average is reported, too.
    """

    model_config = SettingsConfigDict(cli_prog_name="python -m training folds")

    out: Path | None = Field(None, description="folder to write; null: build/folds/<task>/<members>")
    jobs: int = Field(1, ge=1, description="folds side by side, each with one thread, number")
    members: Path | None = Field(
        None,
        description="folder of the trained-model folders of these recipes, each named as its member; each gets its "
        "out-of-fold predictions as oof.npz, on which export then fits the thresholds of prediction sets",
    )


def run(arguments: list[str]) -> int:
    """Parse, train, print the figures over all photos."""
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--config", action="append", default=[])
    given, others = finder.parse_known_args(arguments)
    recipes = [["--config", names] for names in given.config] or [[]]
    commands = [parse(Folds, [*recipe, *others]) for recipe in recipes]

    from training.data.layouts import list_photos
    from training.data.synthetic import data_folder
    from training.learning.folds import cross_validate

    first, configs = commands[0], [command.training for command in commands]
    data = data_folder(first.data, first.dataset)
    out = first.out
    if out is None:
        task = list_photos(data, first.dataset).task.task
        out = Path("build", "folds", task, "+".join(config.member for config in configs))
    found = cross_validate(configs, data, out, first.jobs, first.members)
    for name, metrics in (found.get("of_members", {}) | {found["member"]: found["metrics"]}).items():
        sys.stdout.write(_said(name, metrics))
    if "metrics_of_8_views" in found:
        sys.stdout.write(_said(f"{found['member']}, eight views", found["metrics_of_8_views"]))
    if first.members is not None:
        for config in configs:
            sys.stdout.write(f"out-of-fold predictions: {first.members / config.member / 'oof.npz'}\n")
    sys.stdout.write(f"folds: {out}\nnext: python -m training compare {out}\n")
    return 0


def _said(name: str, metrics: dict[str, Any]) -> str:
    rows = [f"{name}: {metrics['photos']} photos, each by a network that never saw it (95 % bootstrap intervals)"]
    for title, key, interval in (
        ("F1 (macro)", "f1_macro", "f1_macro_interval"),
        ("accuracy (micro)", "accuracy_micro", "accuracy_micro_bootstrap_interval"),
        ("balanced accuracy (recall, macro)", "recall_macro", "recall_macro_bootstrap_interval"),
    ):
        low, high = metrics[interval]
        rows.append(f"  {title:34} {metrics[key]:.3f} [{low:.3f}, {high:.3f}]")
    return "\n".join(rows) + "\n"
