"""The hub's own client against a stand-in on this machine; the hub itself is not asked by any test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_members import make_member
from test_push_pull import contents, pull, push
from transfer_servers import FileServer, serving


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with serving("hub_stand_in.py", tmp_path / "hub") as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "hf_sesame")
        yield server


def test_there_and_back_through_a_stand_in_of_the_hub(tmp_path: Path, hub: FileServer) -> None:
    folder = make_member(tmp_path / "net")
    assert push(folder, "hf://somebody/net") == 0
    private, visibility = json.loads((hub.root / "somebody" / "net" / "visibility").read_text())
    assert private or visibility == "private"
    assert pull("hf://somebody/net", tmp_path / "back") == 0
    assert contents(tmp_path / "back") == contents(folder)


def test_a_damaged_file_on_a_stand_in_of_the_hub_is_noticed(
    tmp_path: Path, hub: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(make_member(tmp_path / "net"), "hf://somebody/net") == 0
    (weights,) = hub.root.rglob("model.safetensors")
    weights.write_bytes(b"other weights")
    assert pull("hf://somebody/net", tmp_path / "back") == 2
    assert "not what SHA256SUMS says" in capsys.readouterr().err
    assert not (tmp_path / "back").exists()


def test_refusals_of_a_stand_in_of_the_hub_are_a_sentence_without_the_token(
    tmp_path: Path, hub: FileServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pull("hf://somebody/nothing", tmp_path / "back") == 2
    assert "hf://somebody/nothing: " in capsys.readouterr().err
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert push(make_member(tmp_path / "net"), "hf://somebody/net") == 2
    told = capsys.readouterr()
    assert "Check the name and HF_TOKEN" in told.err
    assert "hf_wrong" not in told.out + told.err
