"""Settings: what is refused, where secrets come from, and what hashes tell."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from processes import ROOT
from pydantic import SecretStr, ValidationError

from bot.errors import InvalidTokenError, MisconfiguredError
from bot.secrets import Hashes, read_gateway_key, read_token
from bot.settings import Settings

TOKEN = "7301234567:AAE_local-tests_only_0123456789abcde"
WEBHOOK = {
    "mode": "webhook",
    "webhook_url": "https://example.org/bot",
    "webhook_secret": "0123456789abcdef",
    "http_port": 8443,
}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"token": TOKEN, "token_file": "/tmp/token"}, "BOT_TOKEN_FILE"),
        ({"gateway_key": "leaf_x", "gateway_key_file": "/tmp/key"}, "BOT_GATEWAY_KEY_FILE"),
        ({"salt": "short"}, "BOT_SALT"),
        ({**WEBHOOK, "webhook_url": "http://example.org"}, "BOT_WEBHOOK_URL"),
        ({**WEBHOOK, "http_port": 0}, "BOT_HTTP_PORT"),
        ({**WEBHOOK, "webhook_secret": ""}, "BOT_WEBHOOK_SECRET"),
        ({**WEBHOOK, "webhook_secret": "not allowed: spaces"}, "BOT_WEBHOOK_SECRET"),
    ],
)
def test_what_does_not_fit_together_is_named(values: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Settings(**values)


def test_a_webhook_that_fits_is_taken() -> None:
    assert Settings(**WEBHOOK).mode == "webhook"


def test_the_token_comes_from_a_variable_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    assert read_token(Settings(token=SecretStr(TOKEN))) == read_token(Settings(token_file=file)) == TOKEN


@pytest.mark.parametrize("token", ["", "AAE", ":AAE", "7301234567:", "x:AAE"])
def test_what_is_no_token_is_said_so(token: str) -> None:
    with pytest.raises(InvalidTokenError, match="@BotFather"):
        read_token(Settings(token=SecretStr(token)))


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match=r"BOT_GATEWAY_KEY_FILE.*missing"):
        read_gateway_key(Settings(gateway_key_file=tmp_path / "missing"))


def test_the_salt_is_made_once_and_for_nobody_else(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "state")
    first, again = Hashes.from_settings(settings), Hashes.from_settings(settings)
    salt = tmp_path / "state" / "bot-salt"
    assert first.user(42) == again.user(42) != first.user(43)
    assert salt.stat().st_mode & 0o077 == 0
    assert [path.name for path in salt.parent.iterdir()] == ["bot-salt"]
    elsewhere = Hashes.from_settings(Settings(data_dir=tmp_path / "other"))
    assert elsewhere.user(42) != first.user(42)


def test_an_answers_id_fits_into_a_button() -> None:
    hashes = Hashes(b"salt" * 8)
    assert len(hashes.answer(1)) == 12
    assert hashes.answer(1) == hashes.answer(1) != hashes.answer(2)


def test_faults_are_lines_without_values(tmp_path: Path) -> None:
    environment = {"BOT_PHOTOS": "none", "BOT_SALT": "too-short-to-be-shown", "PATH": os.environ["PATH"]}
    ended = subprocess.run(
        [sys.executable, "-m", "bot"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "BOT_PHOTOS: Input should be a valid integer" in ended.stderr
    assert "too-short-to-be-shown" not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr
