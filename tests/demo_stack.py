"""The demo's own stack, started as its users start it."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2
from processes import ROOT, TRITON_PYTHON, descendants, free_ports, wait_until

REPOSITORY = ROOT / "demo" / "model_repository"


@dataclass
class Stack:
    """Triton and the gateway under `python -m deploy.local`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    metrics_port: int = 0
    """Triton's."""

    @property
    def url(self) -> str:
        """Where the gateway listens."""
        return f"http://127.0.0.1:{self.port}"

    def is_ready(self) -> bool:
        """Whether it answers photos; fails the test when it has ended."""
        assert self.process.poll() is None, self.log.read_text(errors="replace")
        with contextlib.suppress(httpx2.TransportError):
            return httpx2.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        return False

    def pids(self) -> set[int]:
        """Process ids of everything it started."""
        return set(descendants(self.process.pid))


def port_flags(ports: list[int]) -> list[str]:
    """Command line flags of the four ports."""
    flags = ("--gateway-port", "--http-port", "--grpc-port", "--metrics-port")
    return [part for flag, port in zip(flags, ports, strict=True) for part in (flag, str(port))]


@contextlib.contextmanager
def running_stack(
    folder: Path, repository: Path = REPOSITORY, environment: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """A ready stack on free ports; `environment` instead of this process's."""
    ports = free_ports(4)
    command = [sys.executable, "-m", "deploy.local", "--repository", str(repository), *port_flags(ports)]
    with (folder / "stack.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--triton-python", str(TRITON_PYTHON)],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    stack = Stack(process, ports[0], folder / "stack.log", ports[3])
    try:
        wait_until(stack.is_ready, 60, "the stack is ready")
        yield stack
    finally:
        process.terminate()
        process.wait(60)
