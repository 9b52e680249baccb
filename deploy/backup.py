"""`python -m deploy.backup save | restore FOLDER`: the stack's data while it runs, and back into a stack that is not in use.

Databases by PostgreSQL's own dump, each of one moment; kept photos, secrets and salts from the volumes; .env and what lies
beside it. Releases are not in it: they lie in MODEL_REPOSITORY, on this machine. A backup holds every secret. Standard library
only.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.first_env import ROOT, read

DATABASES = ("gateway", "bot", "mlflow")


@dataclass(frozen=True)
class Volume:
    """A volume that is saved: a service that has it, its place there, and the profile that it belongs to."""

    name: str
    service: str
    place: str
    profile: str = ""


VOLUMES = (
    Volume("gateway-state", "gateway", "/state"),
    Volume("keys", "keys", "/keys"),
    Volume("bot-state", "bot", "/state", "bot"),
    Volume("mlflow-artifacts", "mlflow", "/artifacts", "track"),
)
WRITERS = ("gateway", "bot", "mlflow")
SETTINGS = {".env": "env", "gateway.env": "gateway.env", "bot.env": "bot.env"}
"""Files of the project's folder to their names in a backup."""
PACK = 'tar -C "$0" -cf - . || [ $? = 1 ]'
"""tar ends with 1 where a file came, went or grew meanwhile: it has that file as it was, or not."""
UNPACK = 'find "$0" -mindepth 1 -delete && tar -C "$0" -xf -'
COMPLETE = "COMPLETE"
NOTHING = Path("/dev/null")


class BackupError(Exception):
    """A step failed; says which, and what to do."""


def compose(client: str, *arguments: str, source: Path | None = None, target: Path | None = None) -> None:
    """One command of the compose client, from and to files.

    Raises:
        BackupError: it failed.
    """
    command = [*shlex.split(client), "--project-directory", str(ROOT), *arguments]
    with (source or NOTHING).open("rb") as stdin, (target or NOTHING).open("wb") as stdout:
        code = subprocess.run(command, cwd=ROOT, stdin=stdin, stdout=stdout, check=False).returncode
    if code:
        raise BackupError(f"`{shlex.join(arguments)}` ended with status {code}; see above.")


def in_volume(volume: Volume, *command: str) -> list[str]:
    """Arguments that run a command in a container of its own, which has the volume."""
    profile = ["--profile", volume.profile] if volume.profile else []
    return [*profile, "run", "--rm", "-T", "--no-deps", volume.service, *command]


def save(client: str, folder: Path) -> Path:
    """Everything into a new folder; only when all is there it says so.

    Raises:
        BackupError
    """
    folder = folder / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}"
    folder.mkdir(mode=0o700, parents=True)
    for name in DATABASES:
        dump = ["pg_dump", "--username", "postgres", "--format", "custom", name]
        compose(client, "exec", "-T", "postgres", *dump, target=folder / f"{name}.dump")
    profiles = read(ROOT / ".env").get("COMPOSE_PROFILES", "").split(",")
    for volume in VOLUMES:
        if not volume.profile or volume.profile in profiles:
            command = in_volume(volume, "sh", "-c", PACK, volume.place)
            compose(client, *command, target=folder / f"{volume.name}.tar")
    for name, copy in SETTINGS.items():
        if (ROOT / name).exists():
            shutil.copyfile(ROOT / name, folder / copy)
            (folder / copy).chmod(0o600)
    (folder / COMPLETE).write_text("".join(f"{file.name} {file.stat().st_size}\n" for file in sorted(folder.iterdir())))
    return folder


def check(folder: Path) -> None:
    """Whether a backup is whole.

    Raises:
        BackupError: it is not.
    """
    try:
        lines = (folder / COMPLETE).read_text(encoding="utf-8").splitlines()
        sizes = {name: int(size) for name, size in (line.split() for line in lines)}
        wrong = [name for name, size in sizes.items() if (folder / name).stat().st_size != size]
    except (OSError, ValueError) as error:
        raise BackupError(f"{folder} is no complete backup ({error}). Take another.") from error
    if wrong:
        raise BackupError(f"{folder}: {', '.join(wrong)} is not of the size that was saved. Take another backup.")


def restore(client: str, folder: Path) -> None:
    """Put everything back but settings; what is there now is replaced. The stack's own services are ended first.

    Each database is made anew, so that nothing is left in it of a later version.

    Raises:
        BackupError
    """
    check(folder)
    compose(client, "stop", *WRITERS)
    compose(client, "up", "--detach", "--wait", "postgres")
    back = ["pg_restore", "--username", "postgres", "--dbname", "postgres", "--clean", "--if-exists", "--create"]
    for name in DATABASES:
        compose(client, "exec", "-T", "postgres", *back, "--exit-on-error", source=folder / f"{name}.dump")
    for volume in VOLUMES:
        saved = folder / f"{volume.name}.tar"
        if saved.exists():
            compose(client, *in_volume(volume, "sh", "-c", UNPACK, volume.place), source=saved)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 with one sentence."""
    parser = argparse.ArgumentParser(prog="python -m deploy.backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("save", help="into a new folder")
    command.add_argument("--compose", default="docker compose", help="default %(default)s")
    command.add_argument("--into", type=Path, default=ROOT / "backups", help="default %(default)s")
    command = commands.add_parser("restore", help="from such a folder")
    command.add_argument("--compose", default="docker compose", help="default %(default)s")
    command.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    try:
        if given.command == "save":
            sys.stdout.write(f"{save(given.compose, given.into)}\n")
        else:
            restore(given.compose, given.folder.resolve())
            sys.stderr.write(f"backup: restored; compare .env with {given.folder}/env, then `make up`\n")
    except (BackupError, OSError) as error:
        sys.stderr.write(f"backup: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
