"""What `docker compose up` starts, run without an engine: the images' commands, users and environments on real parts."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest
from container_stack import USER, Stack, bot_key, running_stack
from processes import ROOT, wait_until

GATEWAY = "http://127.0.0.1:8080"
PHOTO = (ROOT / "demo" / "leaf.jpg").read_bytes()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """PostgreSQL, the first key, Triton on the CPU and the gateway, healthy."""
    with running_stack() as made:
        yield made


def status_of(stack: Stack, service: str) -> dict[str, str]:
    """What Linux says of the process of a service."""
    process = stack.services[service].process
    assert process is not None
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_a_photo_is_answered_for_the_bots_key_and_for_no_stranger(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {bot_key(stack)}"}
    answer = stack.network.call(httpx2.post, f"{GATEWAY}/v1/predict", content=PHOTO, headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    assert answer.json()["release"] == 1
    stranger = stack.network.call(httpx2.post, f"{GATEWAY}/v1/predict", content=PHOTO, timeout=20)
    assert stranger.status_code == 401


def test_answers_are_recorded_in_the_gateways_own_database(stack: Stack) -> None:
    url = stack.services["gateway"].environment["GATEWAY_DATABASE_URL"].replace("@postgres:", "@127.0.0.1:")

    def rows() -> int:
        with psycopg.connect(url, connect_timeout=5) as connection:
            return connection.execute("SELECT count(*) FROM predictions").fetchone()[0]  # type: ignore[index]

    wait_until(lambda: stack.network.call(rows) > 0, 10, "the answer is recorded")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        stack.network.call(psycopg.connect, url.removesuffix("/gateway") + "/bot", connect_timeout=5)


@pytest.mark.parametrize(("service", "user"), [("gateway", USER), ("triton-cpu", 1000)])
def test_each_runs_unprivileged(stack: Stack, service: str, user: int) -> None:
    status = status_of(stack, service)
    assert set(status["Uid"].split()) == {str(user)}
    assert (int(status["CapEff"], 16), int(status["CapBnd"], 16), status["NoNewPrivs"]) == (0, 0, "1")


@pytest.mark.parametrize(
    ("service", "kept"),
    [("gateway", {"/state", "/tmp", "/models"}), ("triton-cpu", {"/tmp"}), ("keys", {"/keys", "/tmp"})],
)
def test_each_writes_where_it_may_and_nowhere_else(stack: Stack, service: str, kept: set[str]) -> None:
    folders = ("/", "/app", "/etc", "/keys", "/models", "/opt/venv", "/state", "/tmp", "/usr")
    script = " ".join(f'touch "{folder}/x" 2>/dev/null && rm "{folder}/x" && echo {folder};' for folder in folders)
    done = stack.services[service].run("sh", "-c", script)
    assert set(done.stdout.split()) == kept


def test_triton_changes_nothing_without_the_secret(stack: Stack) -> None:
    index = "http://127.0.0.1:8000/v2/repository/index"
    assert stack.network.call(httpx2.post, index, timeout=5).status_code == 403
    headers = {"admin-key": stack.services["triton-cpu"].environment["TRITON_CONTROL_SECRET"]}
    known = stack.network.call(httpx2.post, index, headers=headers, timeout=5).json()
    assert {"name": "leaf_ensemble_1", "version": "1", "state": "READY"} in known


def test_a_further_start_keeps_the_key_and_replaces_a_revoked_one(stack: Stack) -> None:
    before, keys = bot_key(stack), stack.services["keys"]
    again = keys.run()
    assert (again.returncode, bot_key(stack)) == (0, before)
    assert f"the bot's key {before[5:13]} is there" in again.stderr
    keys.run("python", "-m", "gateway", "keys", "revoke", before[5:13])
    assert keys.run().returncode == 0
    assert bot_key(stack) != before


def test_the_health_check_tells_an_ill_gateway(stack: Stack) -> None:
    ill = stack.services["gateway"].run("python", "-m", "deploy.health", "http://127.0.0.1:8080/no-such-page")
    assert ill.returncode == 1
    assert "answers 404" in ill.stderr
    away = stack.services["gateway"].run("python", "-m", "deploy.health", "http://127.0.0.1:9/")
    assert away.returncode == 1
    assert "does not answer" in away.stderr


@pytest.mark.parametrize("service", ["gateway", "triton-cpu"])
def test_each_ends_by_itself_when_it_is_stopped(stack: Stack, service: str) -> None:
    assert stack.services[service].stop() == 0


def test_the_entrypoint_of_a_checkout_is_executable() -> None:
    for script in ("deploy/postgres/roles.sh", "deploy/in_gateway.sh"):
        subprocess.run(["bash", "-n", ROOT / script], check=True)
        assert (ROOT / script).stat().st_mode & 0o111
