"""Backup and restore, with PostgreSQL's own programs and the volumes of the containers of these tests."""

import subprocess
from pathlib import Path

import psycopg
import pytest
from container_stack import Stack, bot_key, prepared_stack
from postgres import find_binaries

from deploy import backup, first_env

CLIENT = """#!/bin/sh
# docker compose, as far as a backup uses it
while [ "${1#--}" != "$1" ]; do shift 2; done
command="$1"; shift
case "$command" in
    exec) shift 2; PGHOST="$POSTGRES" PATH="$BINARIES:$PATH" exec "$@" ;;
    run) shift 3; service="$1"; shift; exec sh "$FOLDER/$service.sh" "$@" ;;
    stop | up) echo "$command $*" >> "$FOLDER/said" ;;
    *) echo "unknown: $command $*" >&2; exit 1 ;;
esac
"""


def client(stack: Stack, folder: Path) -> str:
    """A compose client that knows this stack's containers."""
    known = {"FOLDER": folder, "POSTGRES": stack.folder / "postgres", "BINARIES": find_binaries()}
    text = CLIENT
    for name, value in known.items():
        text = text.replace(f"${name}", str(value))
    (folder / "client").write_text(text)
    (folder / "client").chmod(0o755)
    for service in ("gateway", "keys"):
        made = stack.services.get(service) or stack.make(service, "gateway", "gateway")
        made.folder.mkdir(exist_ok=True)
        made.write_door(folder / f"{service}.sh")
    return str(folder / "client")


def names(stack: Stack) -> set[str]:
    """Of the keys in the gateway's database."""
    with psycopg.connect(host=str(stack.folder / "postgres"), user="postgres", dbname="gateway") as connection:
        return {row[0] for row in connection.execute("SELECT name FROM api_keys")}


@pytest.mark.long
def test_what_was_saved_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "ROOT", tmp_path)
    (tmp_path / ".env").write_text("COMPOSE_PROFILES=cpu,observe\nGATEWAY_SECRET=kept\n")
    (tmp_path / "gateway.env").write_text("GATEWAY_RETENTION_DAYS=30\n")
    with prepared_stack() as stack:
        compose = client(stack, tmp_path)
        key, secret = bot_key(stack), stack.volumes["gateway-state"] / "photo"
        secret.write_bytes(b"a photo")
        assert backup.main(["save", "--compose", compose, "--into", str(tmp_path / "backups")]) == 0
        saved = next((tmp_path / "backups").iterdir())
        assert {file.name for file in saved.iterdir()} == {
            *(
                "gateway.dump",
                "bot.dump",
                "mlflow.dump",
                "gateway-state.tar",
                "keys.tar",
                "env",
                "gateway.env",
                "COMPLETE",
            )
        }
        assert saved.stat().st_mode & 0o077 == 0
        secret.unlink()
        with psycopg.connect(host=str(stack.folder / "postgres"), user="postgres", dbname="gateway") as later:
            # what a later version's migration would leave
            later.execute("CREATE TABLE later (key_id text REFERENCES api_keys (id))")
        (stack.volumes["keys"] / "gateway-key").write_text("another")
        stack.services["keys"].run("python", "-m", "gateway", "keys", "create", "--name", "later",
                                   "--scope", "predict")  # fmt: skip
        assert names(stack) == {"bot", "later"}
        assert backup.main(["restore", "--compose", compose, str(saved)]) == 0
        assert (names(stack), bot_key(stack), secret.read_bytes()) == ({"bot"}, key, b"a photo")
        with psycopg.connect(host=str(stack.folder / "postgres"), user="postgres", dbname="gateway") as restored:
            assert restored.execute("SELECT to_regclass('later')").fetchone() == (None,)
            owner = "SELECT pg_get_userbyid(datdba), has_database_privilege('bot', datname, 'connect') FROM pg_database"
            found = restored.execute(f"{owner} WHERE datname = 'gateway'").fetchone()
            assert found == ("gateway", False)
    assert (tmp_path / "said").read_text().splitlines() == ["stop gateway bot mlflow", "up --detach --wait postgres"]


def test_an_incomplete_backup_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gateway.dump").write_bytes(b"12")
    assert backup.main(["restore", "--compose", "false", str(tmp_path)]) == 1
    assert "is no complete backup" in capsys.readouterr().err
    (tmp_path / backup.COMPLETE).write_text("gateway.dump 3\n")
    assert backup.main(["restore", "--compose", "false", str(tmp_path)]) == 1
    assert "gateway.dump is not of the size that was saved" in capsys.readouterr().err


def test_a_backup_that_fails_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert backup.main(["save", "--compose", "false", "--into", str(tmp_path)]) == 1
    assert "pg_dump --username postgres --format custom gateway` ended with status 1" in capsys.readouterr().err
    assert not list(tmp_path.glob(f"*/{backup.COMPLETE}"))


@pytest.mark.parametrize(("ended", "saved"), [(0, 0), (1, 0), (2, 1)])
def test_photos_that_come_and_go_meanwhile_do_not_spoil_it(ended: int, saved: int, tmp_path: Path) -> None:
    (tmp_path / "tar").write_text(f"#!/bin/sh\necho packed\nexit {ended}\n")
    (tmp_path / "tar").chmod(0o755)
    command = ["sh", "-c", backup.PACK, "/state"]
    done = subprocess.run(
        command, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stdout) == (saved, "packed\n")


def test_what_is_saved_is_what_the_compose_file_keeps() -> None:
    text = (first_env.ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    kept = {line.strip().removesuffix(": {}") for line in text.partition("\nvolumes:\n")[2].splitlines()}
    # dumped by PostgreSQL; and what is measured or set up again
    elsewhere = {"postgres-data", "prometheus-data", "alertmanager-data", "grafana-data"}
    assert kept - elsewhere == {volume.name for volume in backup.VOLUMES}


RECORDER = """#!/bin/sh
while [ "${1#--}" != "$1" ]; do shift 2; done
echo "$*" >> FOLDER/said
case "$*" in
    *pg_dump* | *"tar -C"*-cf*) echo "from $*" ;;
    *pg_restore* | *-xf*) cat >> FOLDER/back ;;
esac
"""


@pytest.mark.parametrize(("profiles", "volumes"), [("gpu", 2), ("gpu,bot,track", 4)])
def test_each_part_goes_where_it_came_from(
    profiles: str, volumes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "ROOT", tmp_path)
    (tmp_path / ".env").write_text(f"COMPOSE_PROFILES={profiles}\n")
    (tmp_path / "client").write_text(RECORDER.replace("FOLDER", str(tmp_path)))
    (tmp_path / "client").chmod(0o755)
    saved = backup.save(str(tmp_path / "client"), tmp_path / "backups")
    backup.restore(str(tmp_path / "client"), saved)
    back = (tmp_path / "back").read_text().splitlines()
    assert [line.split()[-1] for line in back[:3]] == ["gateway", "bot", "mlflow"]
    assert len(back) == 3 + volumes
    assert ("run --rm -T --no-deps bot" in (tmp_path / "said").read_text()) == ("bot" in profiles)
