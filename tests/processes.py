"""Starts and stops the real processes under test: Triton through `python -m server`, and the gateway."""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2

ROOT = Path(__file__).parents[1]
TRITON_PYTHON = Path(os.environ.get("TRITON_PYTHON", Path(sys.prefix).parent / "triton" / "bin" / "python"))


def free_ports(count: int) -> list[int]:
    """Different TCP ports that are free, below the range from which the system lends ports to connections."""
    ports: set[int] = set()
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports.add(port)
    return list(ports)


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until `condition` holds; fail the test after `seconds`."""
    deadline = time.monotonic() + seconds
    pause_s = 0.005
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause_s)
        pause_s = min(0.05, 1.5 * pause_s)


def descendants(pid: int) -> list[int]:
    """Process ids of all children of a process and their children."""
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [child, *descendants(child)]
    return found


@dataclass
class TritonProcess:
    """A real tritonserver on a repository; can be killed and started again on the same ports."""

    repository: Path
    ports: list[int]
    load: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    arguments: tuple[str, ...] = ()
    log_file: Path = Path("/dev/null")

    @property
    def grpc_url(self) -> str:
        """host:port of gRPC."""
        return f"127.0.0.1:{self.ports[1]}"

    def start(self) -> None:
        """Start and wait until its models are ready."""
        names = ("--http-port", "--grpc-port", "--metrics-port")
        options = [part for name, port in zip(names, self.ports, strict=True) for part in (name, str(port))]
        models = [part for name in self.load for part in ("--load", name)]
        command = [TRITON_PYTHON, "-m", "server", "--repository", self.repository, *options, *models, *self.arguments]
        self.log_file = self.repository.parent / f"{self.repository.name}.log"
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        wait_until(self.is_ready, 60, "Triton ready")

    def log(self) -> str:
        """What the launcher has shown so far."""
        return self.log_file.read_text(errors="replace")

    def wait_for_log(self, words: str) -> None:
        """Wait until a line with `words` is there."""
        wait_until(lambda: words in self.log(), 10, f"{words!r} in Triton's log")

    def pids(self) -> set[int]:
        """Process ids of tritonserver and its stubs."""
        assert self.process is not None
        return set(descendants(self.process.pid))

    def is_running(self) -> bool:
        """Whether it was started and has not ended since."""
        return self.process is not None and self.process.poll() is None

    def is_ready(self) -> bool:
        """Whether Triton answers ready; fails when the process has ended."""
        assert self.process is not None
        assert self.process.poll() is None, f"Triton ended while starting: {self.log()}"
        try:
            return httpx2.get(f"http://127.0.0.1:{self.ports[0]}/v2/health/ready", timeout=1).status_code == 200
        except httpx2.TransportError:
            return False

    def restart(self) -> None:
        """Start it anew on the same ports, after a crash too."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """End it; nothing is left on its ports afterwards."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(40)
            self.process = None


def launch(repository: Path, *arguments: str, ports: list[int] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the launcher to its end, which these tests expect soon."""
    http, grpc, metrics = ports or free_ports(3)
    command = [TRITON_PYTHON, "-m", "server", "--repository", repository, "--http-port", str(http)]
    command += ["--grpc-port", str(grpc), "--metrics-port", str(metrics), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@dataclass
class GatewayProcess:
    """A gateway in its own process, on a port that the system chose where none was set."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def port(self) -> int:
        """The port it listens on; 0 while it starts."""
        assert self.process.poll() is None, f"the gateway has ended: {self.log.read_text()}"
        found = re.search(r"running on http://127\.0\.0\.1:(\d+)", self.log.read_text())
        return int(found[1]) if found else 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def reset_peak(self) -> int:
        """Forget the peak so far; returns what the process holds now, in bytes."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self.peak_bytes

    @property
    def peak_bytes(self) -> int:
        """The most memory the process held since the last reset."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    def is_live(self) -> bool:
        """Whether /health answers."""
        return self.port > 0 and httpx2.get(f"{self.url}/health", timeout=5).status_code == 200

    def is_ready(self) -> bool:
        """Whether /health/ready answers 200."""
        return httpx2.get(f"{self.url}/health/ready", timeout=5).status_code == 200


@contextlib.contextmanager
def running_gateway(triton_url: str, log: Path, ready: bool = True, **settings: object) -> Iterator[GatewayProcess]:
    """A live gateway; `settings` by field name. Waits for readiness too unless told otherwise."""
    environment = {"GATEWAY_DATA_DIR": str(log.with_suffix(".state")), "GATEWAY_PORT": "0"}
    environment |= {f"GATEWAY_{name.upper()}": str(value) for name, value in settings.items()}
    environment["GATEWAY_TRITON_URL"] = triton_url
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway"],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    gateway = GatewayProcess(process, log)
    try:
        wait_until(gateway.is_live, 30, "gateway live")
        if ready:
            wait_until(gateway.is_ready, 20, "gateway ready")
        yield gateway
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
