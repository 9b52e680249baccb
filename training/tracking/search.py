"""Hyper-parameter search: Optuna proposes, `fit` trains, validation photos decide; resumable after a kill."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from training.config.groups import TrainingConfig
from training.data.dataset import read_dataset
from training.data.split import split_dataset
from training.errors import DivergenceError, SearchError
from training.learning.devices import one_device
from training.learning.fit import fit
from training.tracking.space import Values, best_values, check_space, configured, proposed, shown

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

    from training.data.dataset import Dataset
    from training.data.split import Split

log = logging.getLogger(__name__)

STARTUP = 3
"""Runs that are finished before one is stopped early."""


@dataclass(frozen=True)
class Found:
    """The best run of a search."""

    number: int
    value: float
    values: Values
    """`group.field` → value."""
    preset: Path
    table: Path
    trials: list[FrozenTrial]


def search(config: TrainingConfig, root: Path, out: Path) -> Found:
    """Run `search.trials` trainings and keep what was learned of them.

    Proposals: tree-structured Parzen estimator (Bergstra et al. 2011); a run whose figure is below the median of the
    others at the same epoch is stopped (Golovin et al. 2017). `out` holds `study.db` (Optuna's, resumable), `trials.csv`
    and `best.yaml`, a preset for `fit --config`.

    Args:
        config: where the search starts from, and its group `search`.
        root: data folder.
        out: folder of the search; the same one goes on where it stopped.

    Raises:
        SearchError: the space is not usable, the folder holds another search, or no run was finished.
        TrainingError: as `fit`.
    """
    check_space(config)
    one_device(config.hardware, "Several searches may go on in folders of their own.")
    dataset = read_dataset(root, config.dataset)
    split = split_dataset(dataset, config.dataset)
    study = _open(config, out, split.hash)
    objective = _Objective(config, root, out, dataset, split)
    while len(_done(study)) < config.search.trials:
        study.optimize(objective, n_trials=1)
        _write_table(study, out)
    return _best(study, config, out)


class _Objective:
    """One training; its value is the chosen figure of the validation photos."""

    def __init__(self, config: TrainingConfig, root: Path, out: Path, dataset: Dataset, split: Split) -> None:
        self._config, self._root, self._out, self._dataset, self._split = config, root, out, dataset, split

    def __call__(self, trial: Trial) -> float:
        from optuna import TrialPruned

        values, last = proposed(trial, self._config.search), float("nan")

        def on_epoch(epoch: int, figures: dict[str, float]) -> None:
            nonlocal last
            last = figures[self._config.search.metric]
            trial.report(last, epoch)
            trial.set_user_attr("epochs", epoch)
            if trial.should_prune():
                raise TrialPruned

        folder = self._out / "running"
        for leftover in (folder, folder.with_name("running.partial")):
            shutil.rmtree(leftover, ignore_errors=True)
        log.info("run %d: %s", trial.number, _words(values))
        try:
            result = fit(
                configured(self._config, values),
                self._root,
                folder,
                dataset=self._dataset,
                split=self._split,
                on_epoch=on_epoch,
            )
        except DivergenceError as error:  # these values lead nowhere, which is worth knowing
            log.info("run %d: %s", trial.number, error)
            raise TrialPruned from error
        finally:
            for leftover in (folder, folder.with_name("running.partial")):
                shutil.rmtree(leftover, ignore_errors=True)
        name = self._config.search.metric.removeprefix("validation_")
        return float(result.metrics["validation"].get(name, last))


def _open(config: TrainingConfig, out: Path, split_hash: str) -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    fixed = config.model_dump(mode="json", exclude={"tracking", "evaluation", "gate"})
    fixed["search"] = {key: value for key, value in fixed["search"].items() if key != "trials"}
    about = hashlib.sha256(json.dumps([fixed, split_hash], sort_keys=True).encode()).hexdigest()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SearchError(f"{out} cannot be made: {error}. Give --out a folder you may write to.") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # between Optuna and SQLAlchemy
        study = optuna.create_study(
            storage=f"sqlite:///{(out / 'study.db').resolve()}",
            study_name="search",
            direction=config.search.direction,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP),
            load_if_exists=True,
        )
    if study.user_attrs.get("about", about) != about:
        raise SearchError(f"{out} holds a search with other photos or another configuration: give another --out.")
    study.set_user_attr("about", about)
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)  # killed in the middle: its values come again
        study.enqueue_trial(trial.params)
    seed = config.search.sampler_seed + len(study.trials)  # a resumed search must not propose what it began with
    study.sampler = optuna.samplers.TPESampler(seed=seed)
    if done := len(_done(study)):
        log.info("%d runs are done; the search in %s goes on", done, out)
    return study


def _done(study: Study) -> list[FrozenTrial]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _best(study: Study, config: TrainingConfig, out: Path) -> Found:
    try:
        best = study.best_trial
    except ValueError as error:
        raise SearchError(f"No run in {out} came to its end: raise search.trials.") from error
    values, value, preset = shown(best.params), float(best.value or 0.0), out / "best.yaml"
    about = (
        f"# Run {best.number} of {len(_done(study))}: {config.search.metric} {value:.4f} on the validation photos.\n"
    )
    preset.write_text(about + yaml.safe_dump(best_values(config, values), sort_keys=False), encoding="utf-8")
    return Found(best.number, value, values, preset, out / "trials.csv", _done(study))


def _write_table(study: Study, out: Path) -> None:
    trials = study.get_trials(deepcopy=False)
    names = sorted({name for trial in trials for name in trial.params})
    with (out / "trials.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["run", "state", "value", "epochs", "seconds", *names])
        for trial in trials:
            seconds = f"{trial.duration.total_seconds():.1f}" if trial.duration else ""
            values = shown(trial.params)
            row: list[Any] = [trial.number, trial.state.name.lower(), trial.value, trial.user_attrs.get("epochs", 0)]
            table.writerow([*row, seconds, *(values.get(name, "") for name in names)])


def _words(values: Values) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items()
    )
