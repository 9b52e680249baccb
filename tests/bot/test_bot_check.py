"""`python -m bot check`: a line for each thing, in words that say what to do; nobody needs to answer for these."""

import subprocess
import sys
from pathlib import Path

import pytest
from processes import ROOT, free_ports

TOKEN = "7301234567:AAE_local-tests_only_0123456789abcde"


def check(**settings: object) -> subprocess.CompletedProcess[str]:
    environment = {f"BOT_{name.upper()}": str(value) for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "bot", "check"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def lines(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[str, str]]:
    """What was looked at, and how it is."""
    told = (line.split(maxsplit=2) for line in done.stdout.splitlines())
    return {about: (state, says) for state, about, says in told}


@pytest.fixture
def away() -> str:
    """Where nobody listens."""
    (port,) = free_ports(1)
    return f"http://127.0.0.1:{port}"


def test_what_is_away_is_named_with_what_to_do(tmp_path: Path, away: str) -> None:
    done = check(token=TOKEN, api_url=away, gateway_url=away, data_dir=tmp_path / "state")
    told = lines(done)
    assert done.returncode == 1
    assert {about: state for about, (state, _) in told.items()} == {
        "token": "fails",
        "webhook": "fails",
        "gateway": "fails",
        "database": "ok",
    }
    assert "BOT_API_URL" in told["token"][1]
    assert "BOT_GATEWAY_URL" in told["gateway"][1]
    assert done.stderr == ""
    assert TOKEN not in done.stdout


def test_without_a_token_the_rest_is_looked_at_all_the_same(tmp_path: Path, away: str) -> None:
    told = lines(check(gateway_url=away, data_dir=tmp_path))
    assert told["token"] == (
        "fails",
        "There is no token. Set BOT_TOKEN or BOT_TOKEN_FILE to what @BotFather gave you.",
    )
    assert {"gateway", "database"} <= set(told)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("database_url", "mysql://host/db", "BOT_DATABASE_URL"),
        ("database_url", "postgresql://leaf:hunter2@127.0.0.1:9/bot", "BOT_DATABASE_URL"),
        ("data_dir", "/proc/none", "BOT_DATA_DIR"),
        ("gateway_key_file", "/nowhere/key", "BOT_GATEWAY_KEY_FILE"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, away: str, name: str, value: str, says: str) -> None:
    settings = {"token": TOKEN, "api_url": away, "gateway_url": away, "data_dir": tmp_path, name: value}
    done = check(**settings)
    about = "gateway" if name.startswith("gateway") else "database"
    state, said = lines(done)[about]
    assert state == "fails"
    assert says in said
    assert "hunter2" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_wrong_in_the_settings_ends_it(tmp_path: Path) -> None:
    done = check(data_dir=tmp_path, mode="webhook")
    assert done.returncode == 1
    assert "BOT_WEBHOOK_URL" in done.stderr
