"""The compose client, for a project of its own beside whatever runs already."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.first_env import ROOT

PROJECT = "leaf-acceptance"
FILES = ("docker-compose.yml", "deploy/acceptance/compose.yml")
METRICS = (
    "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())"
)


class AcceptanceError(Exception):
    """A step could not be done; says what was tried and what came of it."""


@dataclass
class Compose:
    """`docker compose` on the acceptance's project.

    Args:
        client: the command, such as `docker compose`.
        settings: environment of the compose file beside .env: profile, port, releases.
    """

    client: str
    settings: dict[str, str]
    said: list[str] = field(default_factory=list)
    """Every command, for the report."""

    def run(self, *arguments: str, timeout_s: float = 3600, show: bool = False) -> str:
        """Standard output of a command; `show` lets it tell its progress.

        Raises:
            AcceptanceError: it failed or took too long.
        """
        files = [part for name in FILES for part in ("--file", str(ROOT / name))]
        command = [
            *shlex.split(self.client),
            "--project-name",
            PROJECT,
            "--project-directory",
            str(ROOT),
            *files,
            *arguments,
        ]
        self.said.append(shlex.join(["compose", *arguments]))
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, **self.settings},
                stdout=subprocess.PIPE,
                stderr=None if show else subprocess.PIPE,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AcceptanceError(f"{self.said[-1]}: {error}") from error
        if done.returncode:
            raise AcceptanceError(
                f"{self.said[-1]} ended with status {done.returncode}: {(done.stderr or '').strip()[-2000:]}"
            )
        return done.stdout

    def gateway(self, *arguments: str) -> str:
        """`python -m gateway ...` in the gateway's container."""
        return self.run("exec", "-T", "gateway", "python", "-m", "gateway", *arguments)

    def releases(self) -> list[dict[str, Any]]:
        """What `release list` knows."""
        return list(json.loads(self.gateway("release", "list", "--json")))

    def triton_metrics(self) -> str:
        """Triton's /metrics, which only the other containers reach."""
        return self.run("exec", "-T", "gateway", "python", "-c", METRICS, "http://triton:8002/metrics")


def say(line: str) -> None:
    """Progress goes to standard error."""
    sys.stderr.write(f"acceptance: {line}\n")
    sys.stderr.flush()


def own(path: Path, user: int) -> None:
    """Give a folder to the containers' user, where this may."""
    if os.getuid() == 0:
        for one in (path, *path.rglob("*")):
            os.chown(one, user, user)
