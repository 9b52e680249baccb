"""The recorder: nothing that fits is lost, whatever happens to the database or the process."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from postgres import PostgresCluster
from processes import ROOT, wait_until
from record_entries import CLASS_KEYS, entry
from sqlalchemy import Engine, func, select, text

from gateway.database import open_database, upgrade, write
from gateway.database.schema import predictions
from gateway.records.recorder import Recorder
from gateway.settings import Settings

pytest_plugins = ("database_fixtures",)


@contextmanager
def recording(engine: Engine, folder: Path, **settings: Any) -> Iterator[Recorder]:
    """A recorder that is closed at the end."""
    recorder = Recorder(Settings(data_dir=folder, **settings), engine)
    try:
        yield recorder
    finally:
        asyncio.run(recorder.close())


def count(engine: Engine) -> int:
    """Rows of predictions."""
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(predictions)).scalar_one()


def test_an_entry_is_there_after_its_flush_interval(engine: Engine, tmp_path: Path) -> None:
    written = entry(file_name="Blatt ü.jpg", group_id="a" * 32, quality=["blurred"], end_user="e" * 32)
    with recording(engine, tmp_path) as recorder:
        recorder.put(written)
        time.sleep(0.2 + 0.3)  # the interval, and room for a busy machine
        with engine.connect() as connection:
            row = connection.execute(select(predictions)).one()
        assert (recorder.written, recorder.waiting, recorder.dropped) == (1, 0, 0)
    assert row.created_at == written.created_at and row.created_at.tzinfo is UTC
    assert row.created_hour == int(written.created_at.timestamp()) // 3600
    assert (row.id, row.release_number, row.photo_kept) == (written.prediction_id, 1, False)
    assert (row.receive_ms, row.queue_ms, row.respond_ms, row.total_ms) == (1.0, 0.5, 0.25, 93.75)
    for name in ("file_name", "group_id", "quality", "end_user", "members", "prediction_set", "client", "caller_kind"):
        assert getattr(row, name) == getattr(written, name)
    assert row.probabilities == written.probabilities and tuple(row.probabilities) == CLASS_KEYS


def test_flush_writes_now(engine: Engine, tmp_path: Path) -> None:
    async def scenario(recorder: Recorder) -> None:
        for _ in range(1200):
            recorder.put(entry())
        assert recorder.waiting == 1200
        assert await recorder.flush(10)
        assert (recorder.waiting, recorder.written) == (0, 1200)
        assert await recorder.flush(0.001)  # nothing waits

    with recording(engine, tmp_path, flush_interval_s=60) as recorder:
        asyncio.run(scenario(recorder))
        assert count(engine) == 1200


def test_close_writes_what_waits(engine: Engine, tmp_path: Path) -> None:
    with recording(engine, tmp_path, flush_interval_s=60) as recorder:
        for _ in range(700):
            recorder.put(entry())
    assert (count(engine), recorder.written, recorder.dropped) == (700, 700, 0)
    recorder.put(entry())
    assert recorder.dropped == 1


def test_put_never_waits_for_the_database(engine: Engine, tmp_path: Path) -> None:
    with recording(engine, tmp_path) as recorder, write(engine) as connection:
        connection.execute(text("DELETE FROM predictions"))  # in SQLite nobody else can write now
        started = time.perf_counter()
        for _ in range(100):
            recorder.put(entry())
        assert time.perf_counter() - started < 0.1


def test_what_a_client_may_send_is_stored(engine: Engine, tmp_path: Path) -> None:
    hostile = ["nul\x00byte", "half \ud800 pair", "long" * 200, "🌿" * 300, "two\nlines"]
    with recording(engine, tmp_path) as recorder:
        for name in hostile:
            recorder.put(entry(file_name=name, language="x" * 99, request_id="r" * 64))
    with engine.connect() as connection:
        names = set(connection.execute(select(predictions.c.file_name)).scalars())
    assert names == {"nulbyte", "half  pair", ("long" * 200)[:255], "🌿" * 127, "two\nlines"}


def test_one_refused_row_costs_no_other(engine: Engine, tmp_path: Path) -> None:
    with recording(engine, tmp_path, flush_interval_s=60) as recorder:
        twice = entry()
        refused = [entry(client=None), entry(probabilities={"cbb": object()})]
        for item in [entry(), *refused, twice, twice, entry()]:
            recorder.put(item)
    assert count(engine) == 3
    assert (recorder.written, recorder.dropped, recorder.waiting) == (4, 2, 0)  # one was there already


def test_a_missing_table_is_waited_for(engine: Engine, tmp_path: Path) -> None:
    with write(engine) as connection:
        connection.execute(text("ALTER TABLE predictions RENAME TO elsewhere"))
    with recording(engine, tmp_path) as recorder:
        recorder.put(entry())
        time.sleep(0.5)
        assert (recorder.waiting, recorder.dropped) == (1, 0)
        with write(engine) as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO predictions"))
        wait_until(lambda: recorder.written == 1, 5, "written after all")


def test_database_stopped_and_started(postgres: PostgresCluster, tmp_path: Path) -> None:
    engine = open_database(postgres.new_database())
    upgrade(engine)
    with recording(engine, tmp_path, record_queue=300) as recorder:
        ended, put = threading.Event(), 0

        def predict() -> None:
            nonlocal put
            while not ended.wait(0.02):
                recorder.put(entry())
                put += 1

        thread = threading.Thread(target=predict)
        thread.start()
        time.sleep(0.5)
        postgres.stop()
        time.sleep(3)
        waited = recorder.waiting
        postgres.start()
        wait_until(lambda: recorder.waiting < 20, 10, "everything written")
        ended.set()
        thread.join()
        assert waited > 50
        wait_until(lambda: recorder.waiting == 0, 5, "the last ones")
        assert (recorder.written, recorder.dropped) == (put, 0)
        assert count(engine) == put

        postgres.stop()
        for _ in range(400):
            recorder.put(entry())
        assert (recorder.waiting, recorder.dropped) == (300, 100)  # the rest did not fit
        postgres.start()
        wait_until(lambda: recorder.waiting == 0, 10, "everything written")
        assert count(engine) == put + 300
    engine.dispose()


def test_close_is_bounded_and_says_what_is_lost(
    postgres: PostgresCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = open_database(postgres.new_database())
    upgrade(engine)
    postgres.stop()
    try:
        recorder = Recorder(Settings(data_dir=tmp_path, record_close_s=1.5), engine)
        for _ in range(7):
            recorder.put(entry())
        started = time.monotonic()
        asyncio.run(recorder.close())
        assert 1 < time.monotonic() - started < 2.5
        assert (recorder.dropped, recorder.waiting) == (7, 0)
        told = capsys.readouterr().out
        assert "database down, predictions wait" in told and "records lost at the end" in told
        assert "predictions=7" in told
    finally:
        postgres.start()
        engine.dispose()


_VICTIM = """
import sys, time
from pathlib import Path
from record_entries import entry
from gateway.database import open_database
from gateway.records.recorder import Recorder
from gateway.settings import Settings
recorder = Recorder(Settings(data_dir=Path(sys.argv[2])), open_database(sys.argv[1]))
while True:
    answered = entry()
    recorder.put(answered)
    print(answered.prediction_id, time.time(), flush=True)
    time.sleep(0.002)
"""


def test_killed_without_warning(database: str, engine: Engine, tmp_path: Path) -> None:
    victim = subprocess.Popen(
        [sys.executable, "-c", _VICTIM, database, str(tmp_path)],
        env={"PYTHONPATH": f"{ROOT}:{ROOT}/tests:{ROOT}/tests/gateway", "PATH": "/usr/bin"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: count(engine) > 600, 20, "predictions come in")
    finally:
        victim.send_signal(signal.SIGKILL)
    killed = time.time()
    answered = [line.split() for line in victim.communicate()[0].splitlines() if line.count(" ") == 1]
    with engine.connect() as connection:
        rows = connection.execute(select(predictions)).all()
    due = {prediction_id for prediction_id, moment in answered if killed - float(moment) > 0.2 + 0.1}
    assert len(due) > 150 and due <= {row.id for row in rows}
    for row in rows:
        assert sum(row.probabilities.values()) == pytest.approx(1) and tuple(row.probabilities) == CLASS_KEYS
        assert len(row.members) == 2 and row.total_ms == 93.75 and row.client == "c" * 32
