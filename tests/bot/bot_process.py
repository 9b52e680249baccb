"""The unmodified bot, `python -m bot`, against the Bot API server of these tests."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
from messenger import TOKEN, Messenger
from processes import ROOT, wait_until

START_S = 30.0
END_S = 30.0


@dataclass
class BotProcess:
    """One bot; may be killed and started again on what it has stored."""

    messenger: Messenger
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self, wait: bool = True) -> None:
        """Start, and wait until it takes updates."""
        since = self.messenger.now()
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bot"],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        if wait:
            sign = "setwebhook" if self.environment.get("BOT_MODE") == "webhook" else "getupdates"
            wait_until(lambda: self._has_called(sign, since), START_S, "the bot takes updates")

    def kill(self) -> None:
        """As power fails: nothing is tidied up."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(END_S)

    def stop(self) -> int:
        """End it by SIGTERM; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(END_S)

    def said(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace")

    @property
    def memory_bytes(self) -> int:
        """What it holds now."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    def get(self, path: str) -> httpx2.Response:
        """From its own HTTP side: /health, /metrics."""
        return httpx2.get(f"http://127.0.0.1:{self.environment['BOT_HTTP_PORT']}{path}", timeout=5, trust_env=False)

    def _has_called(self, method: str, since: float) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the bot has ended: {self.said()}"
        return bool(self.messenger.calls(method, since=since))


def bot_environment(messenger: Messenger, gateway_url: str, folder: Path, **settings: object) -> dict[str, str]:
    """The environment of a bot; `settings` by field name. What the caller's own environment sets for a bot is left out."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOT_")}
    told: dict[str, object] = {
        "token": TOKEN,
        "api_url": messenger.url,
        "gateway_url": gateway_url,
        "data_dir": folder / "state",
        "album_wait_s": 0.6,
        **settings,
    }
    return inherited | {f"BOT_{name.upper()}": str(value) for name, value in told.items() if value is not None}


@contextlib.contextmanager
def running_bot(messenger: Messenger, gateway_url: str, folder: Path, **settings: object) -> Iterator[BotProcess]:
    """A bot that takes updates; ends orderly."""
    folder.mkdir(parents=True, exist_ok=True)
    bot = BotProcess(messenger, bot_environment(messenger, gateway_url, folder, **settings), folder / "bot.log")
    bot.start()
    try:
        yield bot
    finally:
        if bot.process is not None and bot.process.poll() is None:
            code = bot.stop()
            assert code == 0, f"exit code {code}: {bot.said()}"
