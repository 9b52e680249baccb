"""No secret in any line, whoever writes it and at whatever level."""

import json
import subprocess
import sys

from processes import ROOT

TOKEN = "7301234567:AAE_local-tests_only_0123456789abcde"
SALT = "a salt that looks like no credential"

_WRITES_EVERYTHING = f"""
import asyncio, logging, warnings
import structlog
from telegram import Bot
from telegram.error import TelegramError
from bot.logs import configure_logs

TOKEN, SALT = {TOKEN!r}, {SALT!r}
configure_logs("debug", [SALT])
log = structlog.get_logger()
log.info("said with " + TOKEN, inside=[TOKEN], salt=SALT)
logging.getLogger("library").debug("GET /bot%s/getMe", TOKEN)
logging.getLogger("library").debug("GET /bot%s/getMe", TOKEN.replace(":", "%3A"))
log.info("postgresql://leaf:hunter2@db/bot", key="leaf_0123abcd_" + "x" * 32)
warnings.warn("warned of " + TOKEN)

async def ask():
    async with asyncio.timeout(20):
        try:
            async with Bot(TOKEN, base_url="http://127.0.0.1:9/bot") as bot:
                pass
        except TelegramError:
            log.exception("asked in vain")

asyncio.run(ask())
raise ValueError("ended by https://api.telegram.org/bot" + TOKEN + "/getMe")
"""


def test_nothing_secret_is_written_at_debug_level() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _WRITES_EVERYTHING], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr == ""
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    loggers = {line.get("logger", "") for line in lines}
    assert any(name.startswith("telegram") for name in loggers)
    assert any(name.startswith("httpcore") for name in loggers)
    events = " ".join(line["event"] for line in lines)
    for expected in ("said with ***", "GET /bot***/getMe", "warned of ***", "asked in vain", "ended by an error"):
        assert expected in events
    for secret in (TOKEN, TOKEN.partition(":")[2], SALT, "hunter2", "leaf_0123abcd_"):
        assert secret not in ended.stdout
