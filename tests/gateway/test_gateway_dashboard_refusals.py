"""Refusals are counted over all processes of the gateway."""

import subprocess
import sys
from pathlib import Path

import pytest
from processes import ROOT

from gateway.dashboard.refusals import count_refusals

COUNT = """
import sys
from gateway.observe.metrics import Metrics
metrics = Metrics()
for slug in sys.argv[1:]:
    metrics.observe_problem(f"/problems/{slug}", None)
"""


def refuse(folder: Path, *slugs: str) -> None:
    """Another process of the gateway that answers these problems and ends."""
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    subprocess.run([sys.executable, "-c", COUNT, *slugs], cwd=ROOT, env=environment, check=True, timeout=60)


def test_refusals_of_all_processes_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert count_refusals() == {}
    refuse(tmp_path, "overloaded", "undecodable-image", "undecodable-image")
    refuse(tmp_path, "undecodable-image", "rate-limited")
    assert count_refusals() == {"undecodable-image": 3, "overloaded": 1, "rate-limited": 1}
    assert list(count_refusals() or {}) == ["undecodable-image", "overloaded", "rate-limited"]


def test_without_shared_figures_refusals_are_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    assert count_refusals() is None
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "gone"))
    assert count_refusals() is None
