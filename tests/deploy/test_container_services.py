"""The services beside photos, run as their containers would: bot, MLflow, Prometheus; and what operators type."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator

import httpx2
import pytest
from container_stack import Stack, own, running_stack
from containers import Container
from dockerfiles import Image
from processes import ROOT, wait_until

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """PostgreSQL, the first key, Triton on the CPU and the gateway, healthy."""
    with running_stack() as made:
        yield made


def test_releases_are_listed_by_the_command_of_make_status(stack: Stack) -> None:
    done = stack.services["gateway"].run("python", "-m", "gateway", "release", "list", "--json")
    assert [(state["number"], state["role"]) for state in json.loads(done.stdout)] == [(1, "stable")]


def test_the_bot_finds_its_gateway_key_and_database(stack: Stack) -> None:
    bot = stack.make("bot", "bot", "bot")
    without = bot.run()
    assert (without.returncode, without.stderr) == (
        1,
        "bot: There is no token. Set BOT_TOKEN or BOT_TOKEN_FILE to what @BotFather gave you.\n",
    )
    checked = bot.run("python", "-m", "bot", "check", BOT_TOKEN="1:aaaa", BOT_API_URL="http://127.0.0.1:9")
    said = checked.stdout + checked.stderr
    assert "gateway" in said
    assert "database" in said


def test_the_bot_takes_messages_from_telegrams_stand_in(stack: Stack) -> None:
    token = "7301234567:AAE_local-tests_only_0123456789abcde"
    inside = ["nsenter", f"--net=/proc/{stack.network.holder}/ns/net", "env", f"PYTHONPATH={ROOT / 'tests' / 'bot'}"]
    command = [*inside, sys.executable, "-m", "bot_api", "--port", "8990", "--token", token]
    with subprocess.Popen(command, cwd=ROOT) as telegram:
        try:
            bot = stack.make("bot", "bot", "bot")
            bot.environment |= {"BOT_TOKEN": token, "BOT_API_URL": "http://127.0.0.1:8990"}
            bot.start().wait_until_healthy()
            metrics = stack.network.call(httpx2.get, "http://127.0.0.1:9465/metrics", timeout=10)
            assert "bot_" in metrics.text
            assert token not in bot.log
            assert bot.stop() == 0, bot.log
        finally:
            telegram.terminate()


def test_mlflow_keeps_runs_in_its_database_and_artifacts_in_its_volume(stack: Stack) -> None:
    mlflow = stack.make("mlflow", "mlflow", "dev").start()
    mlflow.wait_until_healthy(300)
    api = "http://127.0.0.1:5000/api/2.0/mlflow"

    def ask(path: str, **body: object) -> dict[str, dict[str, object]]:
        answer = stack.network.call(httpx2.post, f"{api}/{path}", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    experiment = ask("experiments/create", name="leaf")["experiment_id"]
    run = ask("runs/create", experiment_id=experiment, start_time=1)["run"]["info"]
    kept = f"http://127.0.0.1:5000/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run['run_id']}/artifacts/note.txt"  # type: ignore[index]
    assert stack.network.call(httpx2.put, kept, content=b"kept", timeout=30).status_code == 200
    assert [file.read_bytes() for file in stack.volumes["mlflow-artifacts"].rglob("note.txt")] == [b"kept"]
    stranger = stack.network.call(
        httpx2.get, "http://127.0.0.1:5000/", headers={"Host": "elsewhere.example"}, timeout=30
    )
    assert stranger.status_code == 403
    mlflow.stop(seconds=10)  # as Docker; its workers hold nothing


def test_prometheus_finds_every_service_by_its_name(stack: Stack) -> None:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("needs Prometheus (apt-get install prometheus)")
    described = stack.configuration["services"]["prometheus"]
    prometheus = Container(
        name="prometheus",
        folder=stack.folder / "prometheus",
        network=stack.network,
        image=Image("prom/prometheus", health=described["healthcheck"]["test"][1:]),
        environment={"PATH": "/usr/bin:/bin"},
        command=[program, *described["command"]],
        user="65534",
        binds={"/prometheus": own(stack.folder / "prometheus-data", 65534)},
        # Debian's own configuration lies at the same place
        read_only={"/etc/prometheus": ROOT / "deploy" / "prometheus"},
        names=(*stack.configuration["services"], "triton"),
        tmpfs=dict(mount.split(":") for mount in described["tmpfs"]),
    )
    stack.services["prometheus"] = prometheus.start()

    def up() -> set[str]:
        try:
            answer = stack.network.call(
                httpx2.get, "http://127.0.0.1:9090/api/v1/query", params={"query": "up == 1"}, timeout=5
            )
        except httpx2.TransportError:
            return set()
        if answer.status_code != 200:  # it is still starting
            return set()
        return {series["metric"]["job"] for series in answer.json()["data"]["result"]}

    wait_until(lambda: {"gateway", "triton"} <= up(), 90, "gateway and Triton are scraped")
