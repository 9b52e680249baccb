"""Real runs on the demo's members, a second for each measurement."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import processes
from benchmarks.__main__ import main
from benchmarks.systems.catalog import REFERENCE, SYSTEMS


def needs(*environments: str) -> pytest.MarkDecorator:
    """Skip where one of the project's environments is not installed."""
    missing = [name for name in environments if not Path(processes.interpreter(name)).exists()]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)} (make install-peers)")


SMALL = ["--quick", "--seconds", "1", "--rounds", "1", "--clients", "2", "--photo-count", "3", "--patience", "5"]


def run(out: Path, *arguments: str) -> dict[str, Any]:
    """The result of a run on the demo's members."""
    assert main([*SMALL, "--out", str(out), *arguments]) == 0
    result: dict[str, Any] = json.loads((out / "bench.json").read_text())
    for name, facts in result["systems"].items():
        assert facts["rounds"][0]["photos_per_second"] > 0.5, name
        assert facts["rounds"][0]["failures"] == 0, name
        assert facts["rounds"][0]["cpu_s_per_photo"] > 0, name
        assert facts["memory_mib"]["pss"] > 100, name
        if "bad" in facts:
            assert facts["bad"]["bad_answered_ok"] == facts["bad"]["good_failed"] == 0, name
    return result


@needs("triton", "gateway")
def test_a_run_ends_with_a_table_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(tmp_path, "--systems", "ours", "--parts")
    assert result["systems"][REFERENCE]["rounds"]
    assert SYSTEMS[REFERENCE].label in capsys.readouterr().out
    assert "<svg" in (tmp_path / "bench.html").read_text()


@pytest.mark.long
@needs("triton", "gateway")
@pytest.mark.timeout(600)  # it starts seven processes, twice
def test_a_run_measures_all_parts(tmp_path: Path) -> None:
    parts = ["curve", "arrivals", "bad", "overload", "breakdown"]
    result = run(tmp_path, "--systems", "ours", "--levels", "1", "4", "--deadline", "2", "--parts", *parts)
    for name, facts in result["systems"].items():
        assert facts["overload"]["photos"] > 0, name
        assert [point["clients"] for point in facts["curve"]] == [1, 4], name
        assert len(facts["arrivals"]) == 3, name
    alone = result["breakdown"]["1"]
    assert alone["photos"] > 3
    assert sum(alone["stages_ms"].values()) == pytest.approx(alone["total_ms"], rel=0.01)
    # gRPC and HTTP take some 4 ms, which are a tenth of what members as small as the demo's need
    assert alone["covered"] > 0.85
    assert result["versions"]["triton"]["tritonserver"].startswith("2.")


@pytest.mark.long
@needs("triton", "gateway", "peers")
def test_every_system_answers_alike(tmp_path: Path) -> None:
    result = run(tmp_path, "--systems", *SYSTEMS, "--parts", "bare", "bad")
    assert len(result["systems"]) == len(SYSTEMS)
    for name, facts in result["systems"].items():
        if name != REFERENCE:
            assert facts["agreement"]["same_class"] == 1, name
            assert facts["agreement"]["largest_difference"] < 0.02, name
