"""docker-compose.yml as a compose client reads it: interpolated, with the services of the profiles asked for."""

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

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
    """What `docker compose config` shows of the services of `profiles`, through podman-compose, which needs no engine.

    Args:
        profiles: as in COMPOSE_PROFILES.
        environment: as in .env; the machine's own environment takes no part.
        further: files laid over docker-compose.yml.

    Raises:
        ComposeError
    """
    with tempfile.NamedTemporaryFile("w", suffix=".env") as file:
        file.write("".join(f"{name}={value}\n" for name, value in environment.items()))
        file.flush()
        # its own `podman` is only asked for a version
        command = [str(LINT_TOOLS / "podman-compose"), "--podman-path", "/bin/echo", "--env-file", file.name]
        command += [part for name in ("docker-compose.yml", *further) for part in ("--file", name)]
        command += [part for profile in profiles for part in ("--profile", profile)]
        said = subprocess.run(
            [*command, "config"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    if said.returncode:
        raise ComposeError(said.stderr.strip().splitlines()[-1])
    return dict(yaml.safe_load(said.stdout))
