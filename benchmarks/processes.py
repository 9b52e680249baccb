"""Starts and stops what is compared, as real processes of this machine."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".venv"
START_TIMEOUT_S = 240
STOP_TIMEOUT_S = 45
_POLL_S = 0.05


def free_ports(count: int) -> list[int]:
    """Ports on the loopback address that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def interpreter(environment: str) -> str:
    """The Python of one of the project's environments."""
    return str(ENVIRONMENTS / environment / "bin/python")


@contextlib.contextmanager
def running(
    command: Sequence[str], env: Mapping[str, str], port: int, path: str = "/health/ready"
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with those it starts, from the moment it answers 200 on `path` until the block ends.

    Raises:
        RuntimeError: it ended, or the time was over; what it wrote last is in the message.
    """
    with contextlib.ExitStack() as cleanup:
        log = cleanup.enter_context(tempfile.TemporaryFile())
        process = subprocess.Popen(
            command, cwd=ROOT, env=dict(env), stdout=log.fileno(), stderr=subprocess.STDOUT, start_new_session=True
        )
        cleanup.callback(_stop, process)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _ready(port, path):
            if process.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                last = log.read().decode(errors="replace")[-3000:]
                raise RuntimeError(f"{last}\n{' '.join(command[:5])} ... did not start; its last words are above.")
            time.sleep(_POLL_S)
        yield process


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to end, then make it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)


def _ready(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
