"""Fixtures of the tests that need a database: the same test on SQLite and on a real PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import PostgresCluster, running_postgres
from sqlalchemy import Engine

from gateway.database import open_database, upgrade

_DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    """One real PostgreSQL for the run; ask for databases of your own in it."""
    with running_postgres() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def upgraded_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with this version's schema, to be copied: the migrations take longer than most tests."""
    file = tmp_path_factory.mktemp("upgraded") / "gateway.db"
    _upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def upgraded_template(postgres: PostgresCluster) -> str:
    """Name of a database with this version's schema, to be copied."""
    url = postgres.new_database()
    _upgrade(url)
    return url.rpartition("/")[2]


@pytest.fixture(params=_DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database, empty but for tests that use `engine`; the test runs once for each kind."""
    upgraded = "engine" in request.fixturenames
    if request.param == "sqlite":
        if upgraded:
            shutil.copy(request.getfixturevalue("upgraded_file"), tmp_path / "gateway.db")
        return f"sqlite:///{tmp_path / 'gateway.db'}"
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    return cluster.new_database(request.getfixturevalue("upgraded_template") if upgraded else None)


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """An engine on a database with this version's schema."""
    engine = open_database(database)
    yield engine
    engine.dispose()


def _upgrade(url: str) -> None:
    engine = open_database(url)
    try:
        upgrade(engine)
    finally:
        engine.dispose()
