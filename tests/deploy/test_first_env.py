"""`make env`: secrets once, private, and never changed again."""

import os
import stat
from pathlib import Path

import pytest

from deploy import first_env

EXAMPLE = (first_env.ROOT / ".env.example").read_text(encoding="utf-8")


def write(tmp_path: Path) -> dict[str, str]:
    """Run it on a file of this test's own, with releases beside it."""
    file = tmp_path / ".env"
    if not file.exists():
        file.write_text(f"MODEL_REPOSITORY={tmp_path / 'served'}\n")
    assert first_env.main(file) == 0
    return first_env.read(file)


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    first = write(tmp_path)
    assert len({first[name] for name in first_env.SECRETS}) == len(first_env.SECRETS)
    assert all(len(first[name]) >= 32 and first[name].isalnum() for name in first_env.SECRETS)
    assert write(tmp_path) == first


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    write(tmp_path)
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_what_was_set_stays_and_what_is_new_comes_along(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"GATEWAY_PORT=9000\nOWN_NOTE_2=kept\nMODEL_REPOSITORY={tmp_path / 'served'}\n")
    settled = write(tmp_path)
    assert (settled["GATEWAY_PORT"], settled["OWN_NOTE_2"], settled["TRITON_TAG"]) == ("9000", "kept", "26.08")


def test_the_demos_release_is_copied_for_the_containers_user(tmp_path: Path) -> None:
    settled = write(tmp_path)
    ensemble = tmp_path / "served" / "leaf_ensemble_1"
    assert ensemble.is_dir()
    assert ensemble.stat().st_uid == int(settled["LEAF_UID"])
    (ensemble / "mine").touch()
    write(tmp_path)
    assert (ensemble / "mine").exists(), "a model repository that is there is not touched"


@pytest.mark.parametrize(("program", "profile"), [("nvidia-smi", "gpu,observe"), ("other", "cpu,observe")])
def test_profiles_follow_the_machine(
    program: str, profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / program).write_text("#!/bin/sh\n")
    (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert first_env.choose({})["COMPOSE_PROFILES"] == profile
    assert first_env.choose({"BOT_TOKEN": "1:x"})["COMPOSE_PROFILES"] == f"{profile},bot"


def test_the_gateway_gets_a_worker_for_four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, workers in ((2, "2"), (16, "4"), (64, "16")):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        assert first_env.choose({})["GATEWAY_WORKERS"] == workers


def test_the_example_holds_no_secret_and_names_all() -> None:
    named = dict(line.split("=", 1) for line in EXAMPLE.splitlines() if "=" in line and not line.startswith("#"))
    assert {name: named[name] for name in first_env.SECRETS} == dict.fromkeys(first_env.SECRETS, "")
    assert named["BOT_TOKEN"] == ""
    assert not {name for name in os.environ if name in first_env.SECRETS}
