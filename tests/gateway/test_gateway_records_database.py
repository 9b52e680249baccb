"""The database: how it is opened, and how it comes to this version's schema."""

import multiprocessing
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from processes import ROOT, free_ports
from sqlalchemy import Engine, insert, inspect, select, text
from sqlalchemy.dialects import mssql
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.schema import CreateIndex, CreateTable

from gateway.database import database_url, open_database, upgrade, write
from gateway.database.schema import api_keys, feedback, metadata
from gateway.database.upgrading import migrations
from gateway.errors import DatabaseUnreachableError, InvalidDatabaseUrlError, NewerDatabaseError
from gateway.settings import Settings

pytest_plugins = ("database_fixtures",)

KEY = {"id": "0123abcd", "owner": "0123abcd", "name": "Schlüssel", "secret_sha256": "0" * 64, "scopes": ["predict"]}


def _upgrade_in_a_process(url: str, barrier: "multiprocessing.synchronize.Barrier") -> None:
    barrier.wait(20)
    upgrade(open_database(url))


def test_migrations_and_metadata_agree(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrations_can_be_undone(engine: Engine) -> None:
    with write(engine) as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    upgrade(engine)
    assert set(metadata.tables) <= set(inspect(engine).get_table_names())


def test_several_workers_upgrade_at_once(database: str) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    workers = [context.Process(target=_upgrade_in_a_process, args=(database, barrier)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    engine = open_database(database)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["0002"]
    engine.dispose()


def test_a_newer_database_is_refused_with_a_sentence(engine: Engine) -> None:
    with write(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabaseError, match=r"has version 9999, which this gateway does not know"):
        upgrade(engine)


def test_times_are_utc_whatever_the_session_thinks(engine: Engine) -> None:
    moment = datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=3)))
    with write(engine) as connection:
        connection.execute(insert(api_keys), {**KEY, "created_at": moment})
    with engine.connect() as connection:
        row = connection.execute(select(api_keys)).one()
        raw = connection.execute(text("SELECT created_at FROM api_keys")).scalar_one()
    assert row.created_at == moment and row.created_at.tzinfo is UTC and row.revoked_at is None
    assert str(raw).startswith("2026-03-28 23:30:00.123456")
    assert (row.name, row.scopes) == ("Schlüssel", ["predict"])
    with pytest.raises(StatementError, match="needs a zone"), write(engine) as connection:
        connection.execute(insert(api_keys), {**KEY, "id": "1", "created_at": datetime(2026, 1, 1)})


def test_feedback_needs_its_prediction(engine: Engine) -> None:
    row = {"id": "1", "prediction_id": "2", "client": "3", "verdict": "wrong", "status": "pending"}
    with pytest.raises(IntegrityError), write(engine) as connection:
        connection.execute(insert(feedback), {**row, "created_at": datetime.now(UTC)})


def test_sqlite_modes(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'new' / 'gateway.db'}")
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 10_000}
    engine.dispose()


def test_errors_do_not_quote_what_was_to_be_stored(engine: Engine) -> None:
    row = {**KEY, "created_at": datetime.now(UTC), "name": "Amani's phone"}
    with pytest.raises(IntegrityError) as caught, write(engine) as connection:
        connection.execute(insert(api_keys), [row, row])
    assert "Amani" not in str(caught.value)


def test_what_the_gateway_writes_is_for_its_user_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    environment = {**os.environ, "GATEWAY_DATA_DIR": str(tmp_path), "GATEWAY_DATABASE_URL": ""}
    command_line = [sys.executable, "-m", "gateway", "keys", "create", "--name", "x", "--scope", "predict"]
    subprocess.run(command_line, env=environment, cwd=ROOT, check=True, capture_output=True, timeout=60)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_sql_server_gets_the_schema_too() -> None:
    dialect = mssql.dialect()  # type: ignore[no-untyped-call]
    for table in metadata.sorted_tables:
        for element in (CreateTable(table), *map(CreateIndex, table.indexes)):
            statement = str(element.compile(dialect=dialect))
            assert "CREATE" in statement
    created = str(CreateTable(metadata.tables["predictions"]).compile(dialect=dialect))
    assert "file_name NVARCHAR(255)" in created and "created_at DATETIME2" in created
    assert "probabilities NVARCHAR(max)" in created


def test_sql_server_migrations_compile(capsys: pytest.CaptureFixture[str]) -> None:
    config = migrations()
    config.set_main_option("dialect", "mssql")
    command.upgrade(config, "head", sql=True)
    printed = capsys.readouterr().out
    assert "CREATE TABLE predictions" in printed and "created_at DATETIME2 NOT NULL" in printed


def test_the_default_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert database_url(settings) == f"sqlite:///{tmp_path}/gateway.db"
    given = Settings(database_url="postgresql://leaf:hunter2@db/leaf")
    assert database_url(given) == "postgresql://leaf:hunter2@db/leaf" and "hunter2" not in repr(given)


@pytest.mark.parametrize("url", ["gateway.db", "mysql://h/d", "sqlite://", "sqlite:///:memory:", "nonsense://"])
def test_other_urls_are_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(InvalidDatabaseUrlError, match="GATEWAY_DATABASE_URL"):
        open_database(url)


def test_a_database_that_is_down_is_named_without_its_password() -> None:
    engine = open_database(f"postgresql://leaf:hunter2@127.0.0.1:{free_ports(1)[0]}/leaf")
    with pytest.raises(
        DatabaseUnreachableError, match=r"cannot be used: .*refused.* Check GATEWAY_DATABASE_URL"
    ) as caught:
        upgrade(engine)
    assert "hunter2" not in str(caught.value)
    engine.dispose()
