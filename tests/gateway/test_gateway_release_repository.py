"""What prune may delete: versions that releases leave behind, never the models or releases of somebody else."""

import asyncio
from pathlib import Path

from null_repository import write_ensemble, write_null_model
from sqlalchemy import Engine

from gateway.database import write
from gateway.releases.kept_route import KeptRoute
from gateway.releases.repository import ModelRepository
from gateway.releases.routes import move_route
from gateway.releases.routing import Route
from gateway.releases.switching import Switching
from gateway.settings import Settings

pytest_plugins = ("database_fixtures",)


def test_models_that_no_release_uses_are_not_left_over(tmp_path: Path) -> None:
    write_null_model(tmp_path)
    write_ensemble(tmp_path, 1)
    for folder in ("preprocess/2", "detector/2"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "detector" / "config.pbtxt").write_text('name: "detector"')
    (left,) = ModelRepository(tmp_path).leftovers()
    assert (left.number, left.own) == (2, (("preprocess", 2),))


def test_releases_of_another_tasks_gateways_are_needed(engine: Engine, tmp_path: Path) -> None:
    mine = Route("cassava", stable=9, previous=8)
    with write(engine) as connection:
        for route in (mine, Route("malaria", stable=3, candidate=4, candidate_share=5.0)):
            move_route(connection, route, "promote", "test")

    async def needed(task: str) -> set[int]:
        switching = Switching(Settings(data_dir=tmp_path, task=task), engine, "test", lambda _: None)
        try:
            return await switching.needed(mine)
        finally:
            await switching.close()

    assert asyncio.run(needed("cassava")) == {9, 8, 3, 4}
    assert asyncio.run(needed("")) == {9, 8}  # one gateway for all: it follows the route that was changed last


def test_a_kept_route_ends_with_its_row(tmp_path: Path) -> None:
    KeptRoute(tmp_path).write(Route("cassava", stable=3))
    started_anew = KeptRoute(tmp_path)
    assert started_anew.read() == Route("cassava", stable=3)
    started_anew.write(None)
    assert KeptRoute(tmp_path).read() is None
