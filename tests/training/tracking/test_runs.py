"""What is recorded while a member trains, and what happens when the server goes away meanwhile."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import Logger
from made_members import make_member
from processes import wait_until

from training.config.groups import TrainingConfig
from training.errors import TrackingError
from training.tracking import runs
from training.tracking.registry import version_of
from training.tracking.store import Store


@dataclass
class Named:
    """As much of a task, a data set and a split as a run asks for."""

    task: str = "leaves"
    table_sha256: str = "d" * 64
    hash: str = "e" * 64
    photos: tuple[()] = ()
    fingerprints: tuple[()] = ()


def configured(**tracking: Any) -> TrainingConfig:
    return TrainingConfig(**{"tracking": tracking, "model": {"name": "net"}, "schedule": {"epochs": 9}})


def start(task: str, state: Path | None = None, **tracking: Any) -> runs.Run:
    named: Any = Named(task)
    return runs.start(configured(**tracking), named, named, named, "f" * 40, state)


def log_epoch(loggers: list[Logger], epoch: int, **metrics: float) -> None:
    """As Lightning does it: epochs from 0, and a count of steps beside."""
    for logger in loggers:
        logger.log_metrics({"epoch": epoch, **metrics}, step=(epoch + 1) * 7 - 1)


def test_a_run_records_registers_judges_and_says_where(tmp_path: Path, tracking: str, store: Store) -> None:
    folder = make_member(tmp_path / "net", task="whole")
    with start("whole", mlflow=tracking) as run:
        log_epoch(run.loggers, 0, validation_loss=0.9)
        log_epoch(run.loggers, 1, validation_loss=0.5)
        lines = run.finish(folder, {"test": {"f1_macro": 0.95, "recall_per_class": {"rust": {"recall": 0.9}}}})
    assert all(line.passed for line in lines)
    found = store.client.get_run(run.run_id)
    assert found.info.status == "FINISHED"
    assert found.data.params["schedule.epochs"] == "9"
    assert not [key for key in found.data.params if key.startswith("tracking")], "an address may hold a password"
    assert (found.data.tags["split_hash"], found.data.tags["table_sha256"]) == ("e" * 64, "d" * 64)
    assert found.data.tags["git_commit"] == "f" * 40
    assert found.data.tags["photos_sha256"] == hashlib.sha256(b"").hexdigest()
    assert found.data.metrics["test/recall/rust"] == 0.9
    curve = store.client.get_metric_history(run.run_id, "validation_loss")
    assert [(point.step, point.value) for point in curve] == [(1, 0.9), (2, 0.5)]
    version = version_of(store, "whole-net", "champion")
    assert version is not None
    assert version.run_id == run.run_id
    assert any("registered: whole-net version 1, candidate and champion" in line for line in run.summary)


def test_without_registering_the_folder_is_kept_with_the_run_alone(tmp_path: Path, tracking: str, store: Store) -> None:
    folder = make_member(tmp_path / "net", task="apart")
    with start("apart", mlflow=tracking, registry=False, experiment="chosen") as run:
        assert all(line.passed for line in run.finish(folder, {}))
    assert version_of(store, "apart-net", "candidate") is None
    assert len(store.client.list_artifacts(run.run_id, "member")) == len(list(folder.iterdir()))
    chosen = store.client.get_experiment_by_name("chosen")
    assert chosen is not None
    assert store.client.get_run(run.run_id).info.experiment_id == chosen.experiment_id


def test_a_resumed_training_goes_on_with_its_run(tmp_path: Path, tracking: str, store: Store) -> None:
    state = tmp_path / "net.partial"
    with pytest.raises(KeyboardInterrupt), start("resumed", state, mlflow=tracking) as first:
        log_epoch(first.loggers, 0, validation_loss=0.9)
        raise KeyboardInterrupt
    assert store.client.get_run(first.run_id).info.status == "KILLED"
    with start("resumed", state, mlflow=tracking) as second:
        assert store.client.get_run(second.run_id).info.status == "RUNNING"
        log_epoch(second.loggers, 1, validation_loss=0.5)
    assert second.run_id == first.run_id
    assert len(store.client.get_metric_history(first.run_id, "validation_loss")) == 2


def test_a_failed_training_is_marked_so(tracking: str, store: Store) -> None:
    with pytest.raises(ZeroDivisionError), start("failed", mlflow=tracking) as run:
        raise ZeroDivisionError
    assert store.client.get_run(run.run_id).info.status == "FAILED"


def test_metrics_that_were_refused_are_said_once_and_sent_later(
    tracking: str, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with start("refused", mlflow=tracking) as run, caplog.at_level(logging.WARNING):
        store.client.delete_run(run.run_id)  # the server now refuses
        log_epoch(run.loggers, 0, validation_loss=0.9)
        log_epoch(run.loggers, 1, validation_loss=0.7)
        assert caplog.text.count("Training goes on") == 1
        store.client.restore_run(run.run_id)
        log_epoch(run.loggers, 2, validation_loss=0.5)
    curve = store.client.get_metric_history(run.run_id, "validation_loss")
    assert [(point.step, point.value) for point in curve] == [(1, 0.9), (2, 0.7), (3, 0.5)]


def test_a_store_lost_at_the_end_leaves_the_folder_and_says_how_to_go_on(
    tmp_path: Path, tracking: str, store: Store
) -> None:
    folder = make_member(tmp_path / "net", task="lost")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with start("lost", mlflow=tracking) as run:
        store.client.delete_run(run.run_id)
        with pytest.raises(TrackingError, match=r"is whole; once that is mended: python -m training gate --model"):
            run.finish(folder, {"test": {"f1_macro": 0.9}})
        store.client.restore_run(run.run_id)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_off_records_nothing_and_still_judges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_member(tmp_path / "net", 0.5)
    monkeypatch.chdir(tmp_path)
    with start("leaves", mlflow="off") as run:
        assert run.loggers == []
        assert not run.finish(folder, {})[0].passed
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_tensorboard_and_offline_wandb_by_a_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.chdir(tmp_path)
    with start("flags", tmp_path / "state", mlflow="off", tensorboard=True, wandb="offline") as run:
        log_epoch(run.loggers, 0, validation_loss=0.9)
        log_epoch(run.loggers, 1, validation_loss=0.5)
        run.finish(make_member(tmp_path / "net"), {"test": {"f1_macro": 0.95}})
    (events,) = (tmp_path / "build" / "tensorboard" / "flags-net").glob("*/events*")
    found = EventAccumulator(str(events.parent)).Reload()
    assert [round(event.value, 6) for event in found.Scalars("validation_loss")] == [0.9, 0.5]
    assert len(found.Scalars("test/f1_macro")) == 1
    (record,) = (tmp_path / "build" / "wandb").glob("wandb/offline-run-*/run-net-*.wandb")
    # W&B's own process writes it, a moment later
    wait_until(
        lambda: all(name in record.read_bytes() for name in (b"validation_loss", b"test/f1_macro")), 20, "metrics"
    )
