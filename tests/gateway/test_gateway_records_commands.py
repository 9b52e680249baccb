"""`purge` and `export-feedback`, on real databases and with training's own reader."""

import asyncio
import csv
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer
from null_repository import release_parameters
from photos import encode, picture
from processes import TritonProcess, free_ports
from record_entries import entry
from sqlalchemy import Engine, delete, func, insert, select, update
from typer.testing import CliRunner, Result

from gateway.commands.feedback import export_feedback
from gateway.commands.purge import purge
from gateway.database import write
from gateway.database.schema import deletions as deletions_table
from gateway.database.schema import feedback, installation, predictions
from gateway.records import deletions
from gateway.records.entry import PredictionEntry
from gateway.records.photos import PhotoStore
from gateway.records.purging import purge as purge_record
from gateway.records.purging import purge_daily
from gateway.records.recorder import Recorder
from gateway.settings import Settings
from training.config.groups import DatasetConfig
from training.data.layouts import list_photos
from training.data.photos import open_photo
from training.tasks import load_task

pytest_plugins = ("database_fixtures",)

NOW = datetime.now(UTC)
app = typer.Typer()
app.command()(purge)
app.command()(export_feedback)

Command = Callable[..., Result]


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command logs to its own stderr, which ends with it."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def command(database: str, tmp_path: Path) -> Command:
    """Runs a command on the test's database and data folder."""

    def run(*arguments: str, **environment: str) -> Result:
        settings = {"GATEWAY_DATABASE_URL": database, "GATEWAY_DATA_DIR": str(tmp_path / "state"), **environment}
        result = CliRunner().invoke(app, list(arguments), env=settings)
        structlog.reset_defaults()
        return result

    return run


@pytest.fixture
def store(tmp_path: Path) -> PhotoStore:
    return PhotoStore(tmp_path / "state" / "photos")


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """A trained model's classes.json of the null release's classes."""
    release = release_parameters(1)
    texts = {"en": "x", "sw": "x"}
    named = [{**item, "names": {"sw": "x", **item["names"]}, "advice": texts} for item in release["classes"]]  # type: ignore[attr-defined]
    path = tmp_path / "classes.json"
    task = {"task": "cassava", "crop": {"en": "cassava", "sw": "muhogo"}, "languages": ["en", "sw"], "classes": named}
    path.write_text(json.dumps(task))
    return path


def _record(engine: Engine, tmp_path: Path, *entries: PredictionEntry) -> None:
    recorder = Recorder(Settings(data_dir=tmp_path / "state"), engine)
    for item in entries:
        recorder.put(item)
    asyncio.run(recorder.close())


def _review(engine: Engine, about: PredictionEntry, class_key: str | None, **changes: Any) -> None:
    values = {
        "id": hashlib.md5(f"{about.prediction_id}{class_key}{changes}".encode()).hexdigest(),
        "prediction_id": about.prediction_id,
        "client": hashlib.md5(f"{class_key}{changes}".encode()).hexdigest(),
        "created_at": NOW,
        "verdict": "wrong",
        "class_key": class_key,
        "status": "confirmed",
        "confirmed_class_key": class_key,
        "reviewed_at": NOW,
        "reviewed_by": "key:0123abcd",
    }
    with write(engine) as connection:
        connection.execute(insert(feedback), values | changes)


def _ids(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(select(predictions.c.id)).scalars())


def _photo(number: int) -> bytes:
    return encode(picture(200 + number, 100))


def test_purge_forgets_what_is_old(engine: Engine, tmp_path: Path, command: Command, store: PhotoStore) -> None:
    old = [entry(created_at=NOW - timedelta(days=31 + day), photo=_photo(day)) for day in range(3)]
    new = [entry(created_at=NOW - timedelta(days=29), photo=_photo(9)), entry()]
    _record(engine, tmp_path, *old, *new)
    _review(engine, old[0], "cbb")
    _review(engine, new[0], "cbb")

    told = command("purge", "--older-than-days", "30", "--dry-run")
    assert (told.exit_code, told.stdout) == (
        0,
        "Would delete 3 predictions older than 30 days, 1 feedbacks on them, 3 of their photos, "
        "and 0 files without a prediction.\n",
    )
    assert len(_ids(engine)) == 5 and store.path(old[0].prediction_id).exists()

    told = command("purge", GATEWAY_RETENTION_DAYS="30")
    assert told.exit_code == 0 and told.stdout.startswith("Deleted 3 predictions older than 30 days, 1 feedbacks")
    assert _ids(engine) == {item.prediction_id for item in new}
    assert [store.path(item.prediction_id).exists() for item in (*old, *new)] == [False] * 3 + [True, False]
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(feedback)).scalar_one() == 1
    assert command("purge", GATEWAY_RETENTION_DAYS="30").stdout.startswith("Deleted 0 predictions")


def test_purge_keeps_all_where_told_so(engine: Engine, tmp_path: Path, command: Command) -> None:
    _record(engine, tmp_path, entry(created_at=NOW - timedelta(days=5000)))
    told = command("purge", GATEWAY_RETENTION_DAYS="0")
    assert told.exit_code == 0 and "retention keeps all" in told.stdout
    assert len(_ids(engine)) == 1
    assert command("purge", "--older-than-days", "0").exit_code == 2
    assert len(_ids(engine)) == 1


def test_purge_forgets_old_deletions(engine: Engine, command: Command) -> None:
    with write(engine) as connection:
        for subject in ("old", "new"):
            deletions.note(connection, subject)
        week_ago = NOW - timedelta(days=8)
        old = deletions_table.c.subject == "old"
        connection.execute(update(deletions_table).where(old).values(deleted_at=week_ago))
    for arguments, left in ((["--dry-run"], {"old", "new"}), ([], {"new"})):
        assert command("purge", *arguments, GATEWAY_RETENTION_DAYS="0").exit_code == 0
        with engine.connect() as connection:
            assert set(connection.execute(select(deletions_table.c.subject)).scalars()) == left


def _age(*paths: Path) -> None:
    days_ago = time.time() - 2 * 86400
    for path in paths:
        os.utime(path, (days_ago, days_ago))


def test_photos_of_another_database_are_left_alone(
    engine: Engine, tmp_path: Path, command: Command, store: PhotoStore
) -> None:
    kept = [entry(photo=_photo(number)) for number in range(3)]
    _record(engine, tmp_path, *kept)
    assert command("purge").exit_code == 0
    paths = [store.path(item.prediction_id) for item in kept]
    _age(*paths)
    for days in ("0", "365"):
        told = command(
            "purge", GATEWAY_DATABASE_URL=f"sqlite:///{tmp_path / f'empty{days}.db'}", GATEWAY_RETENTION_DAYS=days
        )
        assert told.exit_code == 0 and "and 0 files without a prediction" in told.stdout
        assert "not this database's" in told.stderr and str(store.mark_path) in told.stderr
    assert all(path.exists() for path in paths)
    _record(engine, tmp_path, orphan := entry(photo=_photo(4)))
    with write(engine) as connection:
        connection.execute(delete(predictions).where(predictions.c.id == orphan.prediction_id))
    _age(store.path(orphan.prediction_id))
    assert "and 1 files without a prediction" in command("purge").stdout
    assert all(path.exists() for path in paths)


def test_a_folder_without_a_mark_is_the_databases_only_if_it_knows_a_photo(
    engine: Engine, tmp_path: Path, command: Command, store: PhotoStore
) -> None:
    store.keep("a" * 32, _photo(1))
    _age(store.path("a" * 32))
    assert "not this database's" in command("purge").stderr and store.read_mark() is None
    assert store.path("a" * 32).exists()
    _record(engine, tmp_path, kept := entry(photo=_photo(2)))
    assert "and 1 files without" in command("purge").stdout and store.read_mark()
    assert store.path(kept.prediction_id).exists()


def test_an_empty_folder_beside_kept_photos_is_the_wrong_one(engine: Engine, tmp_path: Path, command: Command) -> None:
    assert command("purge", GATEWAY_DATA_DIR=str(tmp_path / "first")).stderr == ""
    _record(engine, tmp_path, entry(photo=_photo(1)))
    told = command("purge", GATEWAY_DATA_DIR=str(tmp_path / "second machine"))
    assert "several machines need one shared folder" in told.stderr
    assert not (tmp_path / "second machine" / "photos").exists()


def test_a_gateway_marks_its_folder_when_it_starts(engine: Engine, tmp_path: Path, store: PhotoStore) -> None:
    async def scenario() -> None:
        worker = asyncio.create_task(purge_daily(engine, Settings(data_dir=tmp_path / "state")))
        while store.read_mark() is None:
            await asyncio.sleep(0.05)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)

    asyncio.run(asyncio.wait_for(scenario(), 10))
    with engine.connect() as connection:
        assert connection.execute(select(installation.c.id)).scalar_one() == store.read_mark()


def test_purge_of_more_than_one_batch(engine: Engine, tmp_path: Path, command: Command) -> None:
    _record(engine, tmp_path, *(entry(created_at=NOW - timedelta(days=500)) for _ in range(1100)))
    assert command("purge").stdout.startswith("Deleted 1100 predictions older than 365 days")


def test_purge_takes_orphans_along(engine: Engine, tmp_path: Path, command: Command, store: PhotoStore) -> None:
    kept = entry(photo=_photo(1))
    _record(engine, tmp_path, kept)
    orphan, fresh = "a" * 32, "b" * 32
    store.keep(orphan, _photo(2))
    store.keep(fresh, _photo(3))
    unfinished = store.path(orphan).with_name("c.part")
    unfinished.touch()
    days_ago = time.time() - 2 * 86400
    for path in (store.path(orphan), store.path(kept.prediction_id), unfinished):
        os.utime(path, (days_ago, days_ago))
    assert "and 2 files without a prediction" in command("purge", "--dry-run").stdout
    assert "and 2 files without a prediction" in command("purge").stdout
    assert not store.path(orphan).exists() and not unfinished.exists()
    assert store.path(fresh).exists() and store.path(kept.prediction_id).exists()  # young; known


def test_a_running_gateway_purges(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.records.purging._FIRST_AFTER_S", (0, 0))
    _record(engine, tmp_path, entry(created_at=NOW - timedelta(days=366)), entry())

    async def scenario() -> None:
        workers = [asyncio.create_task(purge_daily(engine, Settings(data_dir=tmp_path / "state"))) for _ in range(3)]
        while len(_ids(engine)) > 1:
            await asyncio.sleep(0.05)
        assert not any(worker.done() for worker in workers)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    asyncio.run(asyncio.wait_for(scenario(), 10))


def test_purge_can_be_stopped(engine: Engine, tmp_path: Path, store: PhotoStore) -> None:
    _record(engine, tmp_path, entry(created_at=NOW - timedelta(days=366)))
    stopped = threading.Event()
    stopped.set()
    assert purge_record(engine, store, 365, stopped=stopped).predictions == 0
    assert len(_ids(engine)) == 1


def test_a_database_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    for arguments in (["purge"], ["export-feedback", "--out", str(tmp_path / "out")]):
        url = f"postgresql://leaf:hunter2@127.0.0.1:{free_ports(1)[0]}/leaf"
        told = CliRunner().invoke(app, arguments, env={"GATEWAY_DATABASE_URL": url, "GATEWAY_DATA_DIR": str(tmp_path)})
        assert told.exit_code == 1 and not told.stdout
        assert "cannot be used" in told.stderr and "hunter2" not in told.stderr
        assert told.stderr.count("\n") == 1


def test_export_is_what_training_reads(
    engine: Engine, tmp_path: Path, command: Command, store: PhotoStore, classes: Path
) -> None:
    first, second, confirmed_right, unkept, other_task, dismissed, unseen = entries = [
        *(entry(photo=_photo(number)) for number in range(3)),
        entry(),
        entry(photo=_photo(4), task="malaria"),
        entry(photo=_photo(5)),
        entry(photo=_photo(6)),
    ]
    twin = entry(photo=_photo(0))  # the same photo as the first
    _record(engine, tmp_path, *entries, twin)
    _review(engine, first, "cbb", reviewed_at=NOW - timedelta(days=3))
    _review(engine, twin, "healthy", reviewed_at=NOW - timedelta(days=2))  # the later review holds
    _review(engine, second, "cgm", reviewed_at=NOW - timedelta(days=1))
    _review(engine, confirmed_right, "cmd", verdict="correct")
    _review(engine, unkept, "cbb")
    _review(engine, other_task, "cbb")
    _review(engine, dismissed, None, status="dismissed")
    _review(engine, unseen, "cbb", status="pending", confirmed_class_key=None, reviewed_at=None)

    out = tmp_path / "sets" / "corrections"
    told = command("export-feedback", "--out", str(out), "--classes", str(classes))
    assert told.exit_code == 0, told.stderr
    assert told.stdout.startswith(f"Wrote 3 photos of task cassava to {out}. Left out: 1 of a photo that is there")
    assert "1 without a kept photo, 1 of another task" in told.stdout

    task = load_task(str(out / "classes.json"))
    labels = {
        photo.path.stem: task.classes[photo.label].key for photo in list_photos(out, DatasetConfig(), task).photos
    }
    assert labels == {
        twin.prediction_id: "healthy",
        second.prediction_id: "cgm",
        confirmed_right.prediction_id: "cmd",
    }
    assert all(open_photo(photo.path).size for photo in list_photos(out, DatasetConfig()).photos)
    with (out / "train.csv").open() as table:
        assert next(csv.reader(table)) == ["image_id", "label"]
    label_map = json.loads((out / "label_num_to_disease_map.json").read_text())
    assert list(label_map.items())[3] == ("3", "Cassava Mosaic Disease")
    assert [path.name for path in (tmp_path / "sets").iterdir()] == ["corrections"]  # nothing left aside

    again = command("export-feedback", "--out", str(out), "--classes", str(classes))
    assert again.exit_code == 1 and "exists already and is not touched" in again.stderr and not again.stdout

    recent = tmp_path / "recent"
    since = f"{NOW - timedelta(days=1):%Y-%m-%d}"
    told = command("export-feedback", "--out", str(recent), "--classes", str(classes), "--since", since)
    assert told.exit_code == 0 and told.stdout.startswith("Wrote 2 photos")


def test_nothing_to_export(engine: Engine, tmp_path: Path, command: Command, classes: Path) -> None:
    told = command("export-feedback", "--out", str(tmp_path / "out"), "--classes", str(classes))
    assert told.exit_code == 1 and "There is nothing to export" in told.stderr
    assert not (tmp_path / "out").exists()
    for arguments in (["--since", "yesterday"], ["--classes", str(tmp_path / "missing.json")], []):
        assert command("export-feedback", *(["--out", "x"] if arguments else []), *arguments).exit_code == 2


def test_classes_come_from_the_served_release(
    engine: Engine, tmp_path: Path, command: Command, null_triton: TritonProcess
) -> None:
    item = entry(photo=_photo(1))
    _record(engine, tmp_path, item)
    _review(engine, item, "cgm")
    out = tmp_path / "out"
    told = command("export-feedback", "--out", str(out), GATEWAY_TRITON_URL=null_triton.grpc_url)
    assert told.exit_code == 0, told.stderr
    assert (out / "train.csv").read_text() == f"image_id,label\n{item.prediction_id}.jpg,2\n"
    assert [item["key"] for item in json.loads((out / "classes.json").read_text())["classes"]][2] == "cgm"


def test_no_release_to_ask(engine: Engine, tmp_path: Path, command: Command) -> None:
    told = command("export-feedback", "--out", str(tmp_path / "out"), GATEWAY_TRITON_URL="127.0.0.1:1")
    assert told.exit_code == 1 and told.stderr.strip() and not (tmp_path / "out").exists()
