"""Kaggle's own client against a stand-in on this machine; Kaggle itself is not asked by any test."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from kagglesdk import kaggle_env
from test_download import FILES, zipped
from transfer_servers import FileServer

from training.__main__ import main


@pytest.fixture
def kaggle(web: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, web.url)
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "sesame")
    return web


def download(name: str, out: Path) -> int:
    return main(["download", "--competition", name, "--out", str(out)])


def test_a_competition_from_a_stand_in_of_kaggle(tmp_path: Path, kaggle: FileServer) -> None:
    (kaggle.root / "leaf-diseases.zip").write_bytes(zipped(FILES))
    assert download("leaf-diseases", tmp_path / "data") == 0
    found = {
        str(file.relative_to(tmp_path / "data")): file for file in (tmp_path / "data").rglob("*") if file.is_file()
    }
    assert {name: file.read_bytes() for name, file in found.items()} == FILES
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".data")]


def test_a_broken_download_from_a_stand_in_of_kaggle_goes_on_where_it_stopped(
    tmp_path: Path, kaggle: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"photos/a.jpg": random.Random(1).randbytes(3_500_000), "photos/b.jpg": b"b"}
    (kaggle.root / "breaks-off.zip").write_bytes(zipped(files))
    for _ in range(2):
        assert download("breaks-off", tmp_path / "data") == 2
        assert "The same command again goes on" in capsys.readouterr().err
        assert not (tmp_path / "data").exists()
    assert download("breaks-off", tmp_path / "data") == 0
    found = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert {str(path.relative_to(tmp_path / "data")): path.read_bytes() for path in found} == files
    offsets = [int(line.split()[2]) for line in kaggle.requests if line.startswith("GET")]
    assert {1 << 20, 2 << 20} <= set(offsets), "Kaggle's client keeps whole mebibytes"


@pytest.mark.parametrize(
    ("name", "token", "said"),
    [
        (
            "rules-not-accepted",
            "sesame",
            "accept the rules at https://www.kaggle.com/competitions/rules-not-accepted/rules",
        ),
        ("no-such-one", "sesame", "check the competition's name"),
        ("leaf-diseases", "hidden-word", "Kaggle answers 401 for leaf-diseases: create a token"),
        ("leaf-diseases", "", "Kaggle wants to know who you are"),
    ],
)
def test_refusals_of_a_stand_in_of_kaggle_say_what_to_do(
    tmp_path: Path,
    kaggle: FileServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    token: str,
    said: str,
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    assert download(name, tmp_path / "data") == 2
    told = capsys.readouterr()
    assert said in told.err
    assert "hidden-word" not in told.out + told.err
    assert not (tmp_path / "data").exists()
