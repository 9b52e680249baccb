"""Several Tritons, one route: the companion that the chart puts beside each has its own Triton load what the route names."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import running_postgres
from processes import ROOT, running_gateway, wait_until

sys.path.append(str(ROOT / "tests" / "releases"))  # the stage on which the releases' own tests play

from null_releases import NullRelease
from stage import Stage, staged
from test_chart import CHARTS_PYTHON, VALUES, find, told

pytestmark = [pytest.mark.long, pytest.mark.skipif(not CHARTS_PYTHON.exists(), reason="Helm is not here: make test")]


@pytest.fixture
def database() -> Iterator[str]:
    """The database that all share."""
    with running_postgres() as cluster:
        yield cluster.new_database()


def companion_settings() -> dict[str, object]:
    """Its plain settings in the chart, by field name; its address and port are others here."""
    command = [CHARTS_PYTHON, "-m", "deploy.check_chart", "--show", VALUES[0]]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    pod = find(json.loads(shown.stdout), "Deployment", "leaf-triton")["spec"]["template"]["spec"]
    (companion,) = [one for one in pod["containers"] if one["name"] == "companion"]
    plain = {name: value for name, value in told(companion).items() if isinstance(value, str)}
    left_out = ("GATEWAY_TRITON_URL", "GATEWAY_PORT", "GATEWAY_TRITON_CONTROL_HEADER")
    return {name.removeprefix("GATEWAY_").lower(): value for name, value in plain.items() if name not in left_out}


def has(stage: Stage, number: int) -> bool:
    """Whether a release's ensemble is ready in a stage's Triton."""
    return f"leaf_ensemble_{number}" in stage.loaded()


def test_a_promotion_through_one_triton_reaches_the_other(database: str, tmp_path: Path) -> None:
    releases = (NullRelease(1), NullRelease(2))
    settings = companion_settings()
    assert settings["keep_photos"] == "never"
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with (
        staged(tmp_path / "one", *releases, database_url=database) as one,
        staged(tmp_path / "other", *releases) as other,
        running_gateway(
            other.triton.grpc_url, tmp_path / "companion.log", database_url=database, **settings
        ) as companion,
    ):
        one.command("promote", "2")
        assert has(one, 2)
        wait_until(lambda: has(other, 2), 20, "the other Triton has the promoted release")
        wait_until(companion.is_ready, 10, "and the companion an inference of it")
        other.triton.restart()  # a new pod comes with one release
        assert has(other, 1)
        wait_until(lambda: has(other, 2), 30, "a Triton that starts has the promoted release")
        wait_until(companion.is_ready, 20, "and is ready again")
