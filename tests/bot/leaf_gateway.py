"""The gateway as the bot's tests see it: its keys, and what experts read there."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx2
from processes import ROOT, wait_until


@dataclass(frozen=True)
class LeafGateway:
    """A gateway as operators run it for a bot."""

    url: str
    data_dir: Path
    bot_key: str
    expert: httpx2.Client

    def feedback(self) -> list[dict[str, object]]:
        """What people have said so far, the newest last; experts may read it."""
        return self.expert.get("/v1/feedback", params={"limit": 100}).raise_for_status().json()["items"]

    def waits_for_feedback(self, since: int, **expected: object) -> dict[str, object]:
        """The newest, once there is more than `since` and it says what is expected."""

        def is_there() -> bool:
            said = self.feedback()
            return len(said) > since and {name: said[-1][name] for name in expected} == expected

        wait_until(is_there, 10, f"feedback {expected}; the newest: {self.feedback()[-1:]}")
        return self.feedback()[-1]


def make_key(data_dir: Path, name: str, *scopes: str) -> str:
    """A new key of the gateway that keeps its state there."""
    command = [sys.executable, "-m", "gateway", "keys", "create", "--name", name]
    command += [part for scope in scopes for part in ("--scope", scope)]
    made = subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": "", "GATEWAY_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return made.stdout.strip()
