"""One real run: the demo's members, Triton and gateway, FastAPI and LitServe, for a second each."""

import json
from pathlib import Path

import pytest

from benchmarks import processes
from benchmarks.__main__ import main

pytestmark = pytest.mark.skipif(
    not all(Path(processes.interpreter(name)).exists() for name in ("triton", "gateway", "peers")),
    reason="needs the environments of Triton, the gateway and the peers (make install-peers)",
)


@pytest.mark.timeout(240)
def test_a_run_measures_all_parts(tmp_path: Path) -> None:
    arguments = [
        "--quick",
        "--seconds",
        "1",
        "--rounds",
        "1",
        "--clients",
        "2",
        "--levels",
        "1",
        "4",
        "--photo-count",
        "3",
    ]
    arguments += ["--systems", "litserve-engine", "--deadline", "2", "--patience", "5", "--out", str(tmp_path)]
    assert main([*arguments, "--parts", "curve", "arrivals", "bad", "overload", "breakdown"]) == 0
    result = json.loads((tmp_path / "bench.json").read_text())
    for name, facts in result["systems"].items():
        assert facts["rounds"][0]["photos_per_second"] > 1, name
        assert facts["rounds"][0]["failures"] == 0, name
        assert facts["rounds"][0]["cpu_s_per_photo"] > 0, name
        assert facts["memory_mib"]["pss"] > 100, name
        assert facts["bad"]["bad_answered_ok"] == facts["bad"]["good_failed"] == 0, name
        assert facts["overload"]["photos"] > 0, name
    alone = result["breakdown"]["1"]
    assert alone["photos"] > 3
    assert sum(alone["stages_ms"].values()) == pytest.approx(alone["total_ms"], rel=0.01)
    assert alone["covered"] > 0.6
