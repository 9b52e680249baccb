"""What a search varies: fields of the configuration, each with a range or a list of values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from training.config.command_line import configuration
from training.config.groups import TrainingConfig
from training.config.running import SearchConfig
from training.errors import ConfigurationError, SearchError

if TYPE_CHECKING:
    from optuna import Trial

GROUPS = ("model", "augmentation", "loss", "schedule", "hardware")
"""Groups that may be varied: every run of a search is judged on the same photos by the same measure."""

Values = dict[str, Any]


def check_space(config: TrainingConfig) -> None:
    """Try the first and the last value of every field.

    Raises:
        SearchError: a field that a search cannot vary, or a value that does not fit.
    """
    space = config.search.space
    if not space:
        raise SearchError('search.space is empty: name a field, as {"schedule.learning_rate": {"log": [1e-4, 1e-2]}}.')
    for field, how in space.items():
        if field.partition(".")[0] not in GROUPS:
            raise SearchError(f"search.space: {field} cannot be varied; give fields of {', '.join(GROUPS)}.")
        (values,) = how.values()
        for value in (values[0], values[-1]):
            try:
                configured(config, {field: value})
            except ConfigurationError as error:
                raise SearchError(f"search.space: {field}: {error}") from error


def configured(config: TrainingConfig, values: Values) -> TrainingConfig:
    """The configuration of one run: some fields replaced, tracking and pages off, `search.epochs` long
    with warm-up and clean epochs in proportion.

    Args:
        config: where the search starts from.
        values: `group.field` → value.

    Raises:
        ConfigurationError: no such field, or a value that does not fit.
    """
    dumped = config.model_dump()
    dumped["tracking"] |= {"mlflow": "off", "tensorboard": False, "wandb": "off"}
    dumped["evaluation"] |= {"page": False, "views": 1, "attributions": 0}
    if config.search.epochs:
        share = config.search.epochs / config.schedule.epochs
        dumped["schedule"] |= _shortened(dumped["schedule"], config.search.epochs)
        dumped["schedule"]["warmup_epochs"] *= min(1, share)
        clean = round(min(1, share) * dumped["augmentation"]["clean_epochs"])
        dumped["augmentation"]["clean_epochs"] = min(clean, dumped["schedule"]["epochs"] - 1)
    return configuration(_with(dumped, values))


def best_values(config: TrainingConfig, values: Values) -> dict[str, Values]:
    """Group → field → value of a preset that trains the best run whole: what differs from the defaults.

    Args:
        config: where the search started from.
        values: `group.field` → value of the best run.
    """
    whole = configuration(_with(config.model_dump(), values)).model_dump(mode="json", exclude_defaults=True)
    return {group: fields for group, fields in whole.items() if fields and group not in {"search", "tracking"}}


def proposed(trial: Trial, search: SearchConfig) -> Values:
    """A value for every field of the space, `group.field` → value."""
    found: Values = {}
    for field, how in search.space.items():
        ((kind, values),) = how.items()
        if kind == "choice":  # lists too, which the study's storage does not know
            found[field] = json.loads(trial.suggest_categorical(field, [json.dumps(value) for value in values]))
        elif kind == "integer":
            found[field] = trial.suggest_int(field, int(values[0]), int(values[1]))
        else:
            found[field] = trial.suggest_float(field, float(values[0]), float(values[1]), log=kind == "log")
    return found


def shown(field_values: Values) -> Values:
    """A trial's parameters as the study keeps them, with choices as they are in the space."""
    return {name: json.loads(value) if isinstance(value, str) else value for name, value in field_values.items()}


def _shortened(schedule: Values, epochs: int) -> Values:
    """So many epochs; stages keep their shares of them, one epoch each at least."""
    if not schedule["stages"]:
        return {"epochs": epochs}
    whole = sum(stage["epochs"] for stage in schedule["stages"])
    stages = [stage | {"epochs": max(1, round(stage["epochs"] * epochs / whole))} for stage in schedule["stages"]]
    return {"stages": stages, "epochs": sum(stage["epochs"] for stage in stages)}


def _with(dumped: dict[str, Any], values: Values) -> dict[str, Any]:
    for field, value in values.items():
        group, _, name = field.partition(".")
        if name not in dumped.get(group, {}):
            raise ConfigurationError(f"{field} is no field of the configuration.")
        dumped[group] |= {name: value}
    return dumped
