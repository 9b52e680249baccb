"""Dashboards are what the code says, valid for Grafana, and worth opening."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from processes import ROOT

from deploy.dashboards.__main__ import FOLDER, texts

CHARTS_PYTHON = Path(os.environ.get("CHARTS_PYTHON", Path(sys.prefix).parent / "charts" / "bin" / "python"))
BOARDS = {name: json.loads(text) for name, text in texts().items()}

needs_grafana_types = pytest.mark.skipif(not CHARTS_PYTHON.exists(), reason="Grafana's types are not here: make test")


def check(*files: Path) -> subprocess.CompletedProcess[str]:
    """Hold files against Grafana's types."""
    command = [CHARTS_PYTHON, "-m", "deploy.check_dashboards", *files]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_the_files_are_what_the_code_says() -> None:
    written = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.json")}
    assert written == texts(), "run: make docs"


@needs_grafana_types
def test_grafana_knows_all_of_it() -> None:
    assert check(*sorted(FOLDER.glob("*.json"))).stderr == ""


def _unknown_option(board: dict[str, Any]) -> None:
    board["panels"][0]["options"]["colourMode"] = "value"


def _unknown_choice(board: dict[str, Any]) -> None:
    board["panels"][4]["options"]["legend"]["displayMode"] = "tree"


def _wrong_type(board: dict[str, Any]) -> None:
    board["panels"][4]["gridPos"]["h"] = "8"


def _unknown_query(board: dict[str, Any]) -> None:
    board["panels"][4]["targets"][0]["query"] = "up"


@needs_grafana_types
@pytest.mark.parametrize("spoil", [_unknown_option, _unknown_choice, _wrong_type, _unknown_query])
def test_what_grafana_would_drop_is_found(spoil: Callable[[dict[str, Any]], None], tmp_path: Path) -> None:
    board = json.loads(texts()["leaf-traffic.json"])
    spoil(board)
    (tmp_path / "spoilt.json").write_text(json.dumps(board))
    found = check(tmp_path / "spoilt.json")
    assert found.returncode == 1
    assert "dashboard.panels[" in found.stderr


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_every_panel_says_what_is_seen_and_has_a_place(board: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        assert panel["title"] and panel["description"].endswith("."), panel["title"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
    assert len({panel["title"] for panel in board["panels"]}) == len(board["panels"])


def test_grafana_is_told_where_they_lie() -> None:
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((folder / "dashboards" / "leaf.yaml").read_text())["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())["datasources"]
    kinds = {
        query["datasource"]["type"]
        for board in BOARDS.values()
        for panel in board["panels"]
        for query in panel["targets"]
    }
    assert kinds == {source["type"]}
