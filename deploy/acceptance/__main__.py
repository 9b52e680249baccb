"""`python -m deploy.acceptance`: starts the stack as a project of its own, checks it, and writes one report.

plans -> up -> answers -> bad images -> batches -> switches -> throughput -> report -> down
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from deploy.acceptance import checks
from deploy.acceptance.checks import Check
from deploy.acceptance.compose import AcceptanceError, Compose, own, say
from deploy.acceptance.load import Client
from deploy.acceptance.releases import add_twin, copy_release, newest
from deploy.acceptance.uploads import turned
from deploy.first_env import CONTAINER_USER, ROOT, read
from deploy.health import wait
from deploy.triton import StartError

WORK = ROOT / "build" / "acceptance"
START_S = 1800
LOGS = "logs.txt"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m deploy.acceptance", description=__doc__)
    parser.add_argument("--compose", default="docker compose", help="default %(default)s")
    parser.add_argument("--profile", choices=("gpu", "cpu"), default="gpu", help="default %(default)s")
    parser.add_argument("--repository", type=Path, help="model repository (default: MODEL_REPOSITORY of .env)")
    parser.add_argument("--photos", type=Path, default=ROOT / "demo", help="folder of JPEG photos, default the demo's")
    parser.add_argument("--port", type=int, default=18080, help="of the gateway on this machine, default %(default)s")
    parser.add_argument("--seconds", type=float, default=20, help="of each measured load, default %(default)s")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32, 64], help="default %(default)s")
    parser.add_argument(
        "--others", type=int, default=8, help="clients while bad images and switches are tried, default %(default)s"
    )
    parser.add_argument("--switches", type=int, default=20, help="default %(default)s")
    parser.add_argument("--work", type=Path, default=WORK, help="for the report and the releases, default %(default)s")
    parser.add_argument("--keep", action="store_true", help="leave the stack running")
    return parser.parse_args(arguments)


def machine(compose: Compose) -> dict[str, str]:
    """What the figures were measured on; what cannot be asked is left out."""
    questions = {
        "GPU": ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"],
        "commit": ["git", "rev-parse", "HEAD"],
    }
    found = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "kernel": platform.platform()}
    for name, command in questions.items():
        try:
            said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
            found[name] = "; ".join(said.strip().splitlines())
        except (OSError, subprocess.SubprocessError):
            continue
    found["client"] = compose.run("version").strip()
    found["images"] = compose.run("images").strip()
    return found


def start(given: argparse.Namespace, compose: Compose) -> tuple[checks.Stack, list[Check]]:
    """A stack that answers, with a key of its own.

    Raises:
        AcceptanceError: it does not come so far.
    """
    settled = read(ROOT / ".env")
    source = given.repository or ROOT / settled.get("MODEL_REPOSITORY", "build/served")
    number, models = newest(source), given.work / "models"
    copy_release(source, models, number)
    user = int(settled.get("LEAF_UID") or CONTAINER_USER)
    own(models, user)
    begun = time.monotonic()
    done = []
    if given.profile == "gpu":
        say("TensorRT plans, which takes minutes ...")
        compose.run("run", "--rm", "--build", "plans", show=True)
        done.append(Check("plans", True, f"built and verified in {time.monotonic() - begun:.0f} s"))
    begun = time.monotonic()
    say("the stack ...")
    compose.run("up", "--detach", "--build", show=True)
    if wrong := wait(f"http://127.0.0.1:{given.port}/health/ready", START_S):
        raise AcceptanceError(f"{wrong} See {LOGS} beside this report.")
    done.append(
        Check("start", True, f"photos are answered {time.monotonic() - begun:.0f} s after `up`, images included")
    )
    key = compose.gateway("keys", "create", "--name", "acceptance", "--scope", "predict").strip().splitlines()[-1]
    photos = [file.read_bytes() for file in sorted(given.photos.glob("*.jp*g"))]
    if not photos:
        raise AcceptanceError(f"{given.photos} holds no JPEG photo: name a folder with --photos")
    photos += [turned(photos[0], orientation) for orientation in (3, 6, 8)]
    twin = add_twin(models, number)
    own(models, user)
    return checks.Stack(
        compose=compose,
        new_client=lambda: Client(f"127.0.0.1:{given.port}", key),
        photos=photos,
        stable=number,
        twin=twin,
        seconds=given.seconds,
        others=given.others,
        switches=given.switches,
        clients=tuple(given.clients),
    ), done


def report(given: argparse.Namespace, found: dict[str, str], done: list[Check], said: list[str]) -> Path:
    """Write report.md, and the same as report.json; returns the former."""
    passed = all(check.passed for check in done)
    lines = [f"# Acceptance, profile {given.profile}: {'passed' if passed else 'NOT passed'}", ""]
    lines += [
        f"- {name}: {value}" if "\n" not in value else f"- {name}:\n```\n{value}\n```" for name, value in found.items()
    ]
    lines += ["", "| check | | figures |", "|---|---|---|"]
    lines += [f"| {check.name} | {'passed' if check.passed else '**failed**'} | {check.text} |" for check in done]
    lines += ["", "Commands:", "```", *said, "```"]
    work: Path = given.work
    work.mkdir(parents=True, exist_ok=True)
    (work / "report.json").write_text(
        json.dumps({"machine": found, "checks": [vars(check) for check in done]}, indent=1) + "\n", encoding="utf-8"
    )
    file = work / "report.md"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def keep_logs(compose: Compose, file: Path) -> None:
    """What the services have said; they end with it otherwise."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.write_text(compose.run("logs", "--no-color", "--timestamps"), encoding="utf-8")
    except AcceptanceError as error:
        say(str(error))


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 where every check passed; the report is written either way."""
    given = parse(arguments)
    settings = {
        "COMPOSE_PROFILES": given.profile,
        "GATEWAY_LISTEN": "127.0.0.1",
        "GATEWAY_PORT": str(given.port),
        "MODEL_REPOSITORY": str((given.work / "models").resolve()),
    }
    compose = Compose(given.compose, settings)
    found: dict[str, str] = {}
    done: list[Check] = []
    try:
        stack, done = start(given, compose)
        found = machine(compose)
        for check in checks.run(stack):
            done.append(check)
            say(f"{check.name}: {'passed' if check.passed else 'FAILED'}: {check.text}")
    except (AcceptanceError, StartError, OSError) as error:
        done.append(Check("course", False, str(error)))
        say(str(error))
    finally:
        if not all(check.passed for check in done):
            keep_logs(compose, given.work / LOGS)
        if not given.keep:
            try:
                compose.run("down", "--volumes")
            except AcceptanceError as error:
                done.append(Check("end", False, str(error)))
    file = report(given, found, done, compose.said)
    sys.stdout.write(f"{file}\n")
    return 0 if all(check.passed for check in done) else 1


if __name__ == "__main__":
    sys.exit(main())
