"""Runs one tritonserver process: start, wait until ready, pass signals on, report its death."""

import contextlib
import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from server import environment, repository
from server.errors import ExposedError, PortTakenError, TritonDiedError

HOST = "127.0.0.1"
EXIT_TIMEOUT_S = 20
LAST_LINES = 40
PR_SET_PDEATHSIG = 1
# what Triton says about a machine without a GPU, where all is well
HARMLESS = (
    "CUDA driver version",
    "CudaDriverHelper",
    "pinned system memory",
    "pinned memory pool",
    "CUDA memory pool",
    "DCGM",
    "NVML",
)


@dataclass(frozen=True)
class ServerOptions:
    """How to run Triton: what to serve, where to listen, how the CPU engine computes."""

    repository: Path
    """Folder in Triton's model repository layout."""
    http_port: int = 8000
    grpc_port: int = 8001
    metrics_port: int = 8002
    load: tuple[str, ...] = ()
    """Models to load; empty: the ensemble of the newest release."""
    precision: str = "configured"
    """`configured` (each member's own `cpu_engine.json`), `float32`, `bfloat16` or `int8`."""
    threads: int = 0
    """Cores of the CPU engine; 0: all that this process may use."""
    start_timeout_s: float = 120.0
    """Seconds until every model must be ready."""
    verbose: bool = False
    """Show Triton's information lines too, not only warnings and errors."""
    installation: Path | None = None
    """Folder of a Triton laid out as in NVIDIA's container; None: the wheel's."""
    host: str = HOST
    """Address of all listeners; another than this only with `installation`."""
    extra: tuple[str, ...] = field(default=())
    """Further tritonserver arguments, passed on as they are."""


def check_ports(options: ServerOptions) -> None:
    """Raises PortTakenError, naming the port and the flag that changes it."""
    flags = {"--http-port": options.http_port, "--grpc-port": options.grpc_port, "--metrics-port": options.metrics_port}
    for flag, port in flags.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((options.host, port))
            except OSError:
                raise PortTakenError(
                    f"Port {port} on {options.host} is taken by another process: stop it, or choose another with {flag}."
                ) from None


def command(binary: Path, backends: Path, options: ServerOptions, models: tuple[str, ...]) -> list[str]:
    """The tritonserver command line; every listener is bound to the same address."""
    return [
        str(binary),
        f"--model-repository={options.repository}",
        f"--backend-directory={backends}",
        "--model-control-mode=explicit",
        *(f"--load-model={model}" for model in models),
        f"--http-address={options.host}",
        f"--http-port={options.http_port}",
        f"--grpc-address={options.host}",
        f"--grpc-port={options.grpc_port}",
        f"--metrics-address={options.host}",
        f"--metrics-port={options.metrics_port}",
        f"--exit-timeout-secs={EXIT_TIMEOUT_S}",
        "--disable-auto-complete-config",
        # there is no GPU to measure or to copy to
        "--allow-gpu-metrics=false",
        *options.extra,
    ]


class Triton:
    """A running tritonserver with its log reader."""

    def __init__(self, arguments: list[str], env: dict[str, str], verbose: bool) -> None:
        self.process = subprocess.Popen(
            arguments,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches it once, through us
            preexec_fn=_die_with_parent,
        )
        self._tail: deque[str] = deque(maxlen=LAST_LINES)
        self._reader = threading.Thread(target=self._read, args=(verbose,), daemon=True)
        self._reader.start()

    def _read(self, verbose: bool) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._tail.append(line)
            if verbose or (line[:1] in "WE" and not any(words in line for words in HARMLESS)):
                sys.stderr.write(line)
                sys.stderr.flush()

    def last_lines(self) -> str:
        """The end of Triton's log, complete once the process has ended."""
        self._reader.join(timeout=2)
        return "".join(line for line in self._tail if line[:1] not in "+|")  # without the tables

    def stop(self) -> None:
        """Ask Triton to drain and end, kill it when it does not; nothing of it is left running."""
        self.process.terminate()
        try:
            self.process.wait(EXIT_TIMEOUT_S + 10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # stubs that outlived a crash


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def is_ready(port: int, models: tuple[str, ...]) -> bool:
    """Whether Triton and each of `models` answer ready on their HTTP endpoint."""
    for path in ("/v2/health/ready", *(f"/v2/models/{model}/ready" for model in models)):
        connection = http.client.HTTPConnection(HOST, port, timeout=2)
        try:
            connection.request("GET", path)
            if connection.getresponse().status != http.client.OK:
                return False
        except OSError:
            return False
        finally:
            connection.close()
    return True


def wait_until_ready(triton: Triton, options: ServerOptions, models: tuple[str, ...]) -> None:
    """Raises TritonDiedError with the last log lines when Triton ends or the time is over."""
    deadline = time.monotonic() + options.start_timeout_s
    while not is_ready(options.http_port, models):
        if (code := triton.process.poll()) is not None:
            raise TritonDiedError(
                f"{triton.last_lines()}\nTriton ended with exit code {code} while loading {', '.join(models)}."
            )
        if time.monotonic() > deadline:
            triton.stop()
            raise TritonDiedError(
                f"{triton.last_lines()}\nTriton was not ready after {options.start_timeout_s:.0f} s; "
                "see the lines above, or allow more with --start-timeout."
            )
        time.sleep(0.05)


@contextlib.contextmanager
def _signals_to(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    previous = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)


def run(options: ServerOptions, announce: Callable[[str], None]) -> int:
    """Serve until a signal comes; returns 0 after a clean stop.

    `announce` gets one line when every model is ready.

    Raises:
        ServerError: any of its kinds; nothing is left running.
    """
    if options.host != HOST and options.installation is None:
        raise ExposedError(
            f"The wheel's Triton lacks security fixes, so it listens on {HOST} only. Leave --host out, or name the "
            "container's Triton with --installation /opt/tritonserver."
        )
    installation = environment.find_installation(options.installation)
    environment.check_numpy()
    models = options.load or (repository.newest_ensemble(options.repository),)
    for model in models:
        repository.check_model_files(options.repository, model)
    check_ports(options)
    with tempfile.TemporaryDirectory(prefix="leaf-triton-") as scratch:
        workspace = Path(scratch)
        backends = environment.assemble_backends(installation, workspace / "backends")
        binary = environment.binary_path(installation, workspace)
        env = environment.triton_environment(installation) | {
            "LEAF_CPU_PRECISION": options.precision,
            "LEAF_CPU_THREADS": str(options.threads),
            "LEAF_SHARES": str(workspace),
        }
        stopping = ready = False
        triton = Triton(command(binary, backends, options, models), env, options.verbose)

        def stop(_signal: int, _frame: FrameType | None) -> None:
            nonlocal stopping
            stopping = True
            if ready:
                triton.process.terminate()
            else:
                triton.process.kill()  # there is nothing to drain, and Triton may not listen while it loads

        with _signals_to(stop):
            try:
                wait_until_ready(triton, options, models)
                ready = True
                announce(
                    f"Triton is ready: {', '.join(models)}, on {options.host} with gRPC at {options.grpc_port}, HTTP at "
                    f"{options.http_port}, metrics at {options.metrics_port}"
                )
                while triton.process.poll() is None and not stopping:
                    time.sleep(0.1)
            except TritonDiedError:
                if not stopping:
                    raise
            finally:
                triton.stop()
        if stopping:
            return 0
        raise TritonDiedError(
            f"{triton.last_lines()}\nTriton ended by itself with exit code {triton.process.returncode}; "
            "its last log lines are above."
        )
