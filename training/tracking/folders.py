"""Folders that were trained without a tracking server, or while it was away: recorded and judged afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from training.config.running import GateConfig, TrackingConfig
from training.errors import ModelFolderError
from training.folder import read_task
from training.tracking import registry
from training.tracking.gate import GateLine, judge, judged_photos
from training.tracking.loggers import MlflowLogger
from training.tracking.runs import OFF, begin, flat_metrics
from training.tracking.store import open_store


def judge_folder(folder: Path, bars: dict[str, Any], tracking: TrackingConfig) -> tuple[list[GateLine], list[str]]:
    """Judge a folder and, with tracking on, register it; one that is registered already is judged anew.

    Args:
        folder: trained-model folder.
        bars: fields of the gate that differ from those in the folder's report.
        tracking: where to record; `mlflow` off judges without a champion, `registry` false against it; neither registers.

    Returns:
        The gate's lines, and lines that say where things went.

    Raises:
        ModelFolderError: the folder is not whole.
        TrackingError: the store does not answer.
    """
    folder = folder.resolve()
    name, report = registry.registered_name(folder), registry.read_report(folder)
    try:
        gate = GateConfig(**{**report["configuration"].get("gate", {}), **bars})
    except (ValidationError, KeyError, TypeError, AttributeError) as error:
        raise ModelFolderError(f"The bars in {folder / 'report.json'} cannot be read: {error}.") from error
    judged_photos(folder)  # what is damaged must not become a candidate
    if tracking.mlflow == OFF:
        return judge(folder, gate, None), []
    store = open_store(tracking.mlflow)
    if not tracking.registry:
        return judge(folder, gate, registry.read_champion(store, name)), []
    version = registry.registered(store, folder)
    if version is None:
        hashes, epochs, metrics = registry.hashes_of(folder), _history(folder), _metrics(folder, report)
        experiment, member = tracking.experiment or read_task(folder).task, folder.name
        run_id = begin(store, experiment, member, report["configuration"], hashes)
        logger = MlflowLogger(store, run_id)
        for epoch in epochs:
            logger.log_metrics({**epoch, "epoch": epoch.get("epoch", 1) - 1})
        logger.log_metrics(metrics)
        logger.send()
        version = registry.register(store, folder, run_id)
        with store.asked("end the run"):
            store.client.set_terminated(run_id)
    lines = judge(folder, gate, registry.read_champion(store, name))
    moved = registry.record(store, version, lines)
    return lines, [registry.said(version, moved, store)]


def _metrics(folder: Path, report: dict[str, Any]) -> dict[str, float]:
    try:
        return flat_metrics(report["metrics"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ModelFolderError(f"The metrics in {folder / 'report.json'} cannot be read: {error!r}.") from error


def _history(folder: Path) -> list[dict[str, float]]:
    """Figures per epoch; none where `history.json` is missing, as older folders lack it."""
    try:
        epochs = json.loads((folder / "history.json").read_text(encoding="utf-8"))
        return [{key: value for key, value in epoch.items() if isinstance(value, int | float)} for epoch in epochs]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelFolderError(f"{folder / 'history.json'} is damaged: {error}.") from error
