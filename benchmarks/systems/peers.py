"""The peers: FastAPI, LitServe and BentoML, each with PyTorch, ONNX Runtime or our engine inside.

`PEER_WORKERS` sets how many workers LitServe and BentoML have with PyTorch; they share the cores evenly.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from benchmarks.machine import cores
from benchmarks.processes import free_ports, interpreter, running
from benchmarks.systems.system import Running, Setup
from benchmarks.targets import HttpTarget

Start = Callable[[Setup], AbstractContextManager[Running]]


def shares(engine: str) -> tuple[int, int]:
    """Workers of LitServe or BentoML, and the threads of each."""
    if engine == "engine":
        return 2, cores()  # it hands the cores from process to process, as Triton's two instances do
    workers = int(os.environ.get("PEER_WORKERS") or cores())
    return workers, max(1, cores() // workers)


def told(engine: str) -> str:
    """The same in words."""
    workers, threads = shares(engine)
    return f"workers: {workers}, threads of each: {threads}"


def _environment(setup: Setup, engine: str) -> dict[str, str]:
    file = setup.scratch / "release.json"
    setup.release.write(file)
    env = {**os.environ, "PEER_RELEASE": str(file), "PEER_ENGINE": engine, "BENTOML_DO_NOT_TRACK": "True"}
    # shares of the cores, which engines in several processes hand one another
    env["PEER_LOCKS"] = tempfile.mkdtemp(dir=setup.scratch)
    env["BENTOML_HOME"] = tempfile.mkdtemp(dir=setup.scratch)
    workers, threads = shares(engine)
    env |= {"PEER_WORKERS": str(workers), "PEER_THREADS": str(threads)}
    env |= {"PEER_QUEUE_S": str(setup.queue_s), "PEER_WHOLE_S": str(setup.whole_s)}
    env["PEER_ADMITTED"] = str(setup.admitted or "")
    return env


def fastapi(engine: str) -> Start:
    """One process of uvicorn; `--limit-concurrency` is what it refuses by, and counts idle connections too."""

    @contextmanager
    def start(setup: Setup) -> Iterator[Running]:
        (port,) = free_ports(1)
        # PyTorch is what measures too; the rest is in the peers' environment only
        python = sys.executable if engine.startswith("eager") else interpreter("peers")
        command = [python, "-m", "uvicorn", "benchmarks.peers.fastapi_app:app"]
        command += ["--port", str(port), "--log-level", "warning", "--no-access-log"]
        if setup.admitted is not None:
            command += ["--limit-concurrency", str(setup.admitted + 1)]  # refuses at the limit itself
        target = HttpTarget(port, timeout_s=setup.timeout_s, kept_alive=setup.admitted is None)
        with running(command, _environment(setup, engine), port) as process:
            yield Running(target, (process.pid,))

    return start


def litserve(engine: str) -> Start:
    """LitServe with its batching."""

    @contextmanager
    def start(setup: Setup) -> Iterator[Running]:
        (port,) = free_ports(1)
        command = [interpreter("peers"), "-m", "benchmarks.peers.litserve_app", "--port", str(port)]
        with running(command, _environment(setup, engine), port, "/health") as process:
            yield Running(HttpTarget(port, form_field="request", timeout_s=setup.timeout_s), (process.pid,))

    return start


def bentoml(engine: str) -> Start:
    """BentoML with its adaptive batching."""

    @contextmanager
    def start(setup: Setup) -> Iterator[Running]:
        (port,) = free_ports(1)
        command = [interpreter("peers"), "-m", "bentoml", "serve", "benchmarks.peers.bentoml_app:Leaves"]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        with running(command, _environment(setup, engine), port, "/readyz") as process:
            yield Running(HttpTarget(port, form_field="photos", timeout_s=setup.timeout_s), (process.pid,))

    return start
