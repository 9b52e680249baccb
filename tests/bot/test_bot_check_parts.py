"""`python -m bot check` before a real gateway and a Bot API server: all is right, and each part that is not is named."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bot_process import bot_environment
from leaf_gateway import LeafGateway, make_key
from messenger import TOKEN, Messenger
from processes import ROOT, free_ports

from bot.checking import findings
from bot.settings import load_settings

PUBLIC = "https://bot.example.org/telegram"
WEBHOOK = {"mode": "webhook", "webhook_url": PUBLIC, "webhook_secret": "correct-horse-battery", "http_port": 9999}
REVOKED = "7301234567:AAE_revoked-0123456789abcdefghijkl"
Found = dict[str, tuple[bool, str]]


def check(messenger: Messenger, gateway_url: str, folder: Path, **settings: object) -> Found:
    """Of each part whether it is right, and what is said of it."""

    async def look() -> Found:
        return {one.about: (one.is_right, one.says) async for one in findings(load_settings())}

    environment = bot_environment(messenger, gateway_url, folder, **settings)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("BOT_")]:
            patch.delenv(name)
        for name in [name for name in environment if name.startswith("BOT_")]:
            patch.setenv(name, environment[name])
        return asyncio.run(look())


def test_all_is_right(messenger: Messenger, gateway: LeafGateway, tmp_path: Path) -> None:
    secrets = {"token_file": tmp_path / "token", "gateway_key_file": tmp_path / "key"}
    secrets["token_file"].write_text(TOKEN + "\n")
    secrets["gateway_key_file"].write_text(gateway.bot_key + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "bot", "check"],
        cwd=ROOT,
        env=bot_environment(messenger, gateway.url, tmp_path, token=None, **secrets),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["ok", part] for part in ("token", "webhook", "gateway", "database")
    ]
    assert "@leaf_doctor_bot" in done.stdout


@pytest.mark.parametrize(
    ("part", "settings", "says"),
    [
        ("token", {"token": REVOKED}, "@BotFather"),
        ("webhook", WEBHOOK, f"not to {PUBLIC}"),
        ("gateway", {"gateway_key": None}, "keys create"),
        ("gateway", {"gateway_key": "leaf_00000000_wrong"}, "keys create"),
        ("database", {"database_url": "sqlite:////proc/nothing/bot.db"}, "BOT_DA"),
    ],
    ids=["wrong token", "no webhook", "no key", "wrong key", "no database"],
)
def test_what_is_broken_is_named(
    messenger: Messenger, gateway: LeafGateway, tmp_path: Path, part: str, settings: dict[str, object], says: str
) -> None:
    found = check(messenger, gateway.url, tmp_path, **{"gateway_key": gateway.bot_key, **settings})
    assert not found[part][0]
    assert says in found[part][1]
    assert found["gateway" if part == "database" else "database"][0], "the other parts are looked at all the same"


def test_a_key_that_may_not_ask_for_others(messenger: Messenger, gateway: LeafGateway, tmp_path: Path) -> None:
    key = make_key(gateway.data_dir, "page", "predict")
    is_right, says = check(messenger, gateway.url, tmp_path, gateway_key=key)["gateway"]
    assert not is_right
    assert "delegate" in says


def test_a_webhook_in_the_way_of_polling(messenger: Messenger, gateway: LeafGateway, tmp_path: Path) -> None:
    messenger.http.post(f"/bot{TOKEN}/setWebhook", data={"url": PUBLIC}).raise_for_status()
    is_right, says = check(messenger, gateway.url, tmp_path)["webhook"]
    wanted = check(messenger, gateway.url, tmp_path, **WEBHOOK)["webhook"]
    messenger.http.post(f"/bot{TOKEN}/deleteWebhook").raise_for_status()
    assert not is_right
    assert PUBLIC in says
    assert wanted == (True, f"It is set to {PUBLIC}.")


def test_a_webhook_that_leads_nowhere(messenger: Messenger, gateway: LeafGateway, tmp_path: Path) -> None:
    messenger.put_behind("https://bot.example.org", f"http://127.0.0.1:{free_ports(1)[0]}")
    messenger.http.post(f"/bot{TOKEN}/setWebhook", data={"url": PUBLIC}).raise_for_status()
    messenger.person(1).writes("hello?")
    is_right, says = check(messenger, gateway.url, tmp_path, **WEBHOOK)["webhook"]
    messenger.http.post(f"/bot{TOKEN}/deleteWebhook", data={"drop_pending_updates": "true"}).raise_for_status()
    assert not is_right
    assert "BOT_HTTP_PORT" in says


def test_a_bot_with_a_wrong_token_ends_with_a_sentence(
    messenger: Messenger, gateway: LeafGateway, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bot"],
        cwd=ROOT,
        env=bot_environment(messenger, gateway.url, tmp_path, token=REVOKED),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "@BotFather" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stdout + ended.stderr
    assert REVOKED not in ended.stdout + ended.stderr
