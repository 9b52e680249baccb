"""One tracking database for all tests: the first migration takes two seconds."""

from __future__ import annotations

import pytest

from training.tracking.store import Store, open_store


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a SQLite store; tests keep apart by the names of their tasks."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture(scope="session")
def store(tracking: str) -> Store:
    """The same store, open."""
    return open_store(tracking)
