"""A change that does not come about takes back its own doing, and nothing that others rely on by now."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
import structlog
from null_repository import write_ensemble, write_null_model
from processes import TritonProcess, free_ports
from sqlalchemy import Engine

from gateway.database import database_url, open_database, upgrade, write
from gateway.errors import Problem, RouteConflict, TritonUnavailable
from gateway.releases.routes import move_route, read_route
from gateway.releases.routing import Route
from gateway.releases.switching import Switching
from gateway.settings import Settings


@pytest.fixture(autouse=True)
def logs_of_its_own() -> None:
    """Commands that other tests ran in this process log to a stream that has ended with them."""
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def breakable_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonProcess]:
    """Triton with release 1 loaded."""
    repository = tmp_path_factory.mktemp("breakable") / "repository"
    write_null_model(repository)
    triton = TritonProcess(repository, free_ports(3), load=(write_ensemble(repository, 1),))
    triton.start()
    yield triton
    triton.stop()


@pytest.fixture
def triton(breakable_triton: TritonProcess) -> Iterator[TritonProcess]:
    """Triton with release 1 loaded and release 2 beside it on disk."""
    if not breakable_triton.is_running():
        breakable_triton.restart()
    name = write_ensemble(breakable_triton.repository, 2)
    yield breakable_triton
    if breakable_triton.is_running():
        url = f"http://127.0.0.1:{breakable_triton.ports[0]}/v2/repository/models/{name}/unload"
        httpx2.post(url, timeout=10)
    shutil.rmtree(breakable_triton.repository / name, ignore_errors=True)


@pytest.fixture
def settings(triton: TritonProcess, tmp_path: Path) -> Settings:
    """Of a gateway with a database of its own."""
    return Settings(triton_url=triton.grpc_url, data_dir=tmp_path / "state")


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """Its database, without a route."""
    engine = open_database(database_url(settings))
    upgrade(engine)
    yield engine
    engine.dispose()


def promote(settings: Settings, engine: Engine, number: int, meanwhile: Callable[[str], None]) -> Problem:
    """Promote a release, in vain; `meanwhile` is told each step. Why it was in vain."""

    async def run() -> None:
        switching = Switching(settings, engine, "test", meanwhile)
        try:
            await switching.move("promote", lambda route: route.promoted(number))
        finally:
            await switching.close()

    with pytest.raises(Problem) as told:
        asyncio.run(run())
    return told.value


def route(engine: Engine) -> Route | None:
    """As it is written."""
    with engine.connect() as connection:
        return read_route(connection)


def is_loaded(triton: TritonProcess, number: int) -> bool:
    """Whether Triton has the release ready."""
    url = f"http://127.0.0.1:{triton.ports[0]}/v2/models/leaf_ensemble_{number}/ready"
    return httpx2.get(url, timeout=5).status_code == 200


@pytest.mark.parametrize(("stable", "stays"), [(2, True), (1, False)], ids=["needed by now", "not needed"])
def test_what_was_loaded_stays_only_where_a_route_names_it_by_now(
    settings: Settings, engine: Engine, triton: TritonProcess, stable: int, stays: bool
) -> None:
    with write(engine) as connection:
        first = move_route(connection, Route("cassava", stable=1), "pin", "test")

    def meanwhile(step: str) -> None:
        if step.startswith("release 2 is ready"):
            with write(engine) as connection:
                move_route(connection, Route("cassava", stable=stable, version=first.version), "promote", "somebody")

    assert isinstance(promote(settings, engine, 2, meanwhile), RouteConflict)
    assert is_loaded(triton, 2) is stays


def test_the_first_row_goes_again_where_nothing_came_of_it(
    settings: Settings, engine: Engine, triton: TritonProcess
) -> None:
    (triton.repository / "leaf_ensemble_2" / "config.pbtxt").write_text("platform: 'ensemble'")
    promote(settings, engine, 2, lambda _: None)
    assert route(engine) is None


def test_the_first_row_stays_while_triton_may_have_the_unproved_release(
    settings: Settings, engine: Engine, triton: TritonProcess
) -> None:
    def meanwhile(step: str) -> None:
        if step.startswith("loading release 2"):
            triton.stop()

    assert isinstance(promote(settings, engine, 2, meanwhile), TritonUnavailable)
    found = route(engine)
    assert found is not None and (found.stable, found.previous) == (1, None)
