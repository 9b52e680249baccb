"""Ours, Triton's ensemble alone, and the engines alone."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import ROOT, free_ports, interpreter, running
from benchmarks.systems.system import INFER_SHARE, Running, Setup
from benchmarks.targets import GrpcTarget, HttpTarget

_PATIENCE_S = 170.0


@contextmanager
def triton(setup: Setup) -> Iterator[Running]:
    """Triton on the release, called directly."""
    http, grpc, metrics = free_ports(3)
    command = [interpreter("triton"), "-m", "server", "--repository", str(setup.repository.resolve())]
    command += ["--http-port", str(http), "--grpc-port", str(grpc), "--metrics-port", str(metrics)]
    if setup.trace is not None:
        command += ["--", "--trace-config=mode=triton", f"--trace-config=triton,file={setup.trace}"]
        command += ["--trace-config=level=OFF", "--trace-config=rate=1"]
    queue_s = _PATIENCE_S if setup.deadline_s is None else setup.queue_s
    target = GrpcTarget(grpc, setup.release.ensemble, setup.timeout_s, queue_s)
    with running(command, os.environ, http, f"/v2/models/{setup.release.ensemble}/ready") as process:
        yield Running(target, (process.pid,), grpc)


@contextmanager
def ours(setup: Setup) -> Iterator[Running]:
    """The same Triton with the gateway in front; under a deadline of 5 s it has its defaults, but for the log."""
    with triton(setup) as behind, tempfile.TemporaryDirectory(dir=setup.scratch) as state:
        (port,) = free_ports(1)
        env = {
            **os.environ,
            "GATEWAY_AUTH": "open",
            "GATEWAY_PORT": str(port),
            "GATEWAY_TRITON_URL": f"127.0.0.1:{behind.grpc_port}",
            "GATEWAY_DATA_DIR": state,
            "GATEWAY_LOG_LEVEL": "error",
            **(patience(_PATIENCE_S) if setup.deadline_s is None else deadlines(setup, setup.deadline_s)),
        }
        with running([interpreter("gateway"), "-m", "gateway"], env, port) as gateway:
            yield Running(HttpTarget(port, timeout_s=setup.timeout_s), (*behind.pids, gateway.pid), behind.grpc_port)


def deadlines(setup: Setup, seconds: float) -> dict[str, str]:
    """Gateway settings for another deadline than the 5 s that its defaults are made for, in the same proportions."""
    return {
        "GATEWAY_QUEUE_TIMEOUT_S": str(setup.queue_s),
        "GATEWAY_INFER_TIMEOUT_S": str(INFER_SHARE * seconds),
        "GATEWAY_REQUEST_DEADLINE_S": str(setup.whole_s),
    }


def patience(seconds: float) -> dict[str, str]:
    """Gateway settings that let a slow machine finish: throughput is measured here, not patience."""
    return {
        "GATEWAY_QUEUE_TIMEOUT_S": str(seconds),
        "GATEWAY_INFER_TIMEOUT_S": str(seconds + 1),
        "GATEWAY_REQUEST_DEADLINE_S": str(seconds + 2),
        # so many large photos at once are refused otherwise
        "GATEWAY_UPLOAD_BUFFER_BYTES": str(2**30),
        # no probe inference while another system is measured
        "GATEWAY_PROBE_INTERVAL_S": "3600",
        "GATEWAY_PROBE_MAX_AGE_S": "7200",
    }


def bare_engines(repository: Path, seconds: float) -> dict[str, float]:
    """Photos per second of the engines alone on ready pixels, by way of using the cores (`python -m server.limits`)."""
    command = [interpreter("triton"), "-m", "server.limits", "--repository", str(repository.resolve())]
    result = subprocess.run([*command, "--seconds", str(seconds)], cwd=ROOT, capture_output=True, text=True, check=True)
    rates: dict[str, float] = json.loads(result.stdout)
    return rates
