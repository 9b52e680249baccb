"""`python -m deploy.first_env`: a .env for `docker compose up`, with fresh secrets; what .env says already stays as it is.

Profiles are chosen by what this machine has; the demo's release is copied where no model repository is named. Standard library
only.
"""

import os
import re
import secrets
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECRETS = (
    "POSTGRES_PASSWORD",
    "GATEWAY_DATABASE_PASSWORD",
    "BOT_DATABASE_PASSWORD",
    "MLFLOW_DATABASE_PASSWORD",
    "GATEWAY_SECRET",
    "TRITON_CONTROL_SECRET",
    "GRAFANA_PASSWORD",
)
ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)")
LEAST_WORKERS = 2
CORES_A_WORKER = 4
"""The gateway checks photos on the processor; Triton and the system need the rest."""
CONTAINER_USER = 10001
"""Of containers, where this runs as root."""


def read(file: Path) -> dict[str, str]:
    """Names and values of a .env; empty where there is none."""
    if not file.exists():
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    return {match[1]: match[2] for line in lines if (match := ASSIGNMENT.fullmatch(line))}


def fill(example: str, given: dict[str, str], chosen: dict[str, str]) -> str:
    """The example with what is `given`, else `chosen`; a secret that is neither is made. Names unknown to it come last."""
    lines, known = [], set()
    for line in example.splitlines():
        match = ASSIGNMENT.fullmatch(line)
        if match is None:
            lines.append(line)
            continue
        name, default = match.groups()
        made = secrets.token_hex(24) if name in SECRETS else default
        lines.append(f"{name}={given.get(name) or chosen.get(name) or made}")
        known.add(name)
    further = [f"{name}={value}" for name, value in given.items() if name not in known]
    return "\n".join([*lines, *further]) + "\n"


def choose(given: dict[str, str]) -> dict[str, str]:
    """What this machine suggests."""
    machine = "gpu" if shutil.which("nvidia-smi") else "cpu"
    bot = ",bot" if given.get("BOT_TOKEN") else ""
    return {
        "COMPOSE_PROFILES": f"{machine},observe{bot}",
        "MODEL_REPOSITORY": "./build/served",
        "LEAF_UID": str(os.getuid() or CONTAINER_USER),
        "GATEWAY_WORKERS": str(max(LEAST_WORKERS, (os.cpu_count() or 0) // CORES_A_WORKER)),
    }


def copy_demo(repository: Path, user: int) -> None:
    """The demo's release where nothing is yet, for containers of that user."""
    if repository.exists():
        return
    shutil.copytree(ROOT / "demo" / "model_repository", repository)
    if os.getuid() == 0:
        for path in (repository, *repository.rglob("*")):
            os.chown(path, user, user)


def main(file: Path = ROOT / ".env") -> int:
    """Write it, for its owner's eyes only."""
    given = read(file)
    chosen = choose(given)
    text = fill((ROOT / ".env.example").read_text(encoding="utf-8"), given, chosen)
    draft = file.with_name(f"{file.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.replace(file)
    settled = read(file)
    copy_demo(ROOT / settled["MODEL_REPOSITORY"], int(settled["LEAF_UID"]))
    sys.stderr.write(
        f"env: {file.name} is written (profiles {settled['COMPOSE_PROFILES']}, releases in {settled['MODEL_REPOSITORY']}). "
        "Keep a copy of it: the secrets are nowhere else.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
