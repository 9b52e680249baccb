"""Fixtures of the tests that need a database: the same test on SQLite and on a real PostgreSQL."""

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


@pytest.fixture(params=_DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database; the test runs once for each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'gateway.db'}"
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    return cluster.new_database()


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """An engine on a database with this version's schema."""
    engine = open_database(database)
    try:
        upgrade(engine)
        yield engine
    finally:
        engine.dispose()
