"""Starts and stops what is compared, each as real processes on this machine."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".venv"
START_TIMEOUT_S = 180


def free_ports(count: int) -> list[int]:
    """Ports on the loopback address that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def stack(repository: Path, precision: str) -> Iterator[int]:
    """Triton and the gateway on a repository; yields the gateway's port."""
    gateway, http_port, grpc, metrics = free_ports(4)
    command = [str(ENVIRONMENTS / "gateway/bin/python"), "-m", "deploy.local", "--repository", str(repository)]
    command += ["--triton-python", str(ENVIRONMENTS / "triton/bin/python"), "--gateway-port", str(gateway)]
    command += ["--http-port", str(http_port), "--grpc-port", str(grpc), "--metrics-port", str(metrics)]
    command += ["--precision", precision]
    with tempfile.TemporaryDirectory() as state:
        env = {**os.environ, "GATEWAY_LOG_LEVEL": "warning", "GATEWAY_DATA_DIR": state, **patience(60)}
        with running(command, env, gateway):
            yield gateway


def patience(seconds: float) -> dict[str, str]:
    """Gateway settings that let a slow machine finish: throughput is measured here, not patience."""
    return {
        "GATEWAY_QUEUE_TIMEOUT_S": str(seconds),
        "GATEWAY_INFER_TIMEOUT_S": str(seconds + 1),
        "GATEWAY_REQUEST_DEADLINE_S": str(seconds + 2),
        # no probe inference while another system is measured
        "GATEWAY_PROBE_INTERVAL_S": "3600",
        "GATEWAY_PROBE_MAX_AGE_S": "7200",
    }


def bare_engines(repository: Path, precision: str, seconds: float) -> dict[str, float]:
    """Photos per second of the engines alone, by way of using the cores (`python -m server.limits`)."""
    command = [
        str(ENVIRONMENTS / "triton/bin/python"),
        "-m",
        "server.limits",
        "--repository",
        str(repository.resolve()),
    ]
    env = {**os.environ, "LEAF_CPU_PRECISION": precision}
    result = subprocess.run(
        [*command, "--seconds", str(seconds)], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    rates: dict[str, float] = json.loads(result.stdout)
    return rates


@contextlib.contextmanager
def pytorch(members: Sequence[Path], dtype: str) -> Iterator[int]:
    """The PyTorch peer; yields its port."""
    (port,) = free_ports(1)
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "benchmarks.peers.pytorch:app",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    env = {
        **os.environ,
        "PEER_MEMBERS": os.pathsep.join(str(folder.resolve()) for folder in members),
        "PEER_DTYPE": dtype,
    }
    with running(command, env, port):
        yield port


@contextlib.contextmanager
def running(command: list[str], env: dict[str, str], port: int, path: str = "/health/ready") -> Iterator[None]:
    """A process of its own, from the moment it answers 200 on `path` until the block ends."""
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _ready(port, path):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command[:4])} ... did not start; its message is above.")
            time.sleep(0.2)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _ready(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
