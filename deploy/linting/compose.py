"""docker-compose.yml as Docker's client reads it: interpolated, with the services of the profiles asked for."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.first_env import ROOT, SECRETS

LINT_TOOLS = ROOT / ".venv" / "lint" / "bin"
PROFILES = (
    ("gpu",),
    ("cpu",),
    ("cpu", "bot"),
    ("cpu", "observe"),
    ("cpu", "track"),
    ("gpu", "bot", "observe", "track"),
)
"""Each profile, and all that are used together."""
EXAMPLE = dict.fromkeys(SECRETS, "0123456789abcdef" * 3) | {"MODEL_REPOSITORY": "./build/served"}


class ComposeError(Exception):
    """The file cannot be read as it is set up; holds what the client said."""


def configuration(
    profiles: Sequence[str], environment: Mapping[str, str] = EXAMPLE, further: Sequence[str] = ()
) -> dict[str, Any]:
    """What Docker's own client makes of the file (`docker compose config`), which needs no engine; paths as they are written.

    Args:
        profiles: as in COMPOSE_PROFILES.
        environment: as in .env; the machine's own environment and gateway.env take no part.
        further: files laid over docker-compose.yml.

    Raises:
        ComposeError
    """
    files = [part for name in ("docker-compose.yml", *further) for part in ("--file", name)]
    chosen = [part for profile in profiles for part in ("--profile", profile)]
    with tempfile.NamedTemporaryFile("w", suffix=".env") as file:
        file.write("".join(f"{name}={value}\n" for name, value in environment.items()))
        file.flush()
        command = [str(LINT_TOOLS / "docker-compose"), "--env-file", file.name, *files, *chosen]
        command += ["config", "--format", "json", "--no-path-resolution", "--no-env-resolution"]
        said = subprocess.run(
            command,
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    if said.returncode:
        raise ComposeError(said.stderr.strip())
    return dict(json.loads(said.stdout))
