"""`python -m deploy.local`: Triton and the gateway side by side on this machine, until a signal or until one ends.

Standard library only. The gateway starts at once and answers 503 until Triton is ready.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
STOP_TIMEOUT_S = 40


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument("--repository", type=Path, required=True, help="model repository to serve")
    parser.add_argument("--gateway-port", type=int, default=8080, help="default %(default)s")
    parser.add_argument("--http-port", type=int, default=8000, help="Triton's, default %(default)s")
    parser.add_argument("--grpc-port", type=int, default=8001, help="Triton's, default %(default)s")
    parser.add_argument("--metrics-port", type=int, default=8002, help="Triton's, default %(default)s")
    parser.add_argument("--precision", default="configured", help="of the CPU engine, see `python -m server --help`")
    parser.add_argument("--triton-python", default=sys.executable, help="interpreter of Triton's environment")
    parser.add_argument("--gateway-python", default=sys.executable, help="interpreter of the gateway's environment")
    return parser.parse_args(arguments)


def check_port(port: int) -> None:
    """Refuse a port that somebody answers on: the caller would take his answers for ours.

    Raises:
        OSError: the port is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def start(given: argparse.Namespace, processes: dict[str, subprocess.Popen[bytes]]) -> None:
    """Add both processes, by name; each in its own session, so that Ctrl-C reaches them through us, in order."""
    triton = [given.triton_python, "-m", "server", "--repository", str(given.repository.resolve())]
    for flag in ("http_port", "grpc_port", "metrics_port", "precision"):
        triton += [f"--{flag.replace('_', '-')}", str(getattr(given, flag))]
    processes["Triton"] = subprocess.Popen([_absolute(triton[0]), *triton[1:]], cwd=ROOT, start_new_session=True)
    processes["gateway"] = subprocess.Popen(
        [_absolute(given.gateway_python), "-m", "gateway"],
        cwd=ROOT,
        env=gateway_environment(given, os.environ),
        start_new_session=True,
    )


def gateway_environment(given: argparse.Namespace, environment: Mapping[str, str]) -> dict[str, str]:
    """The gateway's; where `environment` says nothing of hosts and credentials this machine may do everything without one."""
    told = {} if "GATEWAY_HOST" in environment else {"GATEWAY_AUTH": "open"}
    told["GATEWAY_MODEL_REPOSITORY"] = str(given.repository.resolve())
    ports = {"GATEWAY_PORT": str(given.gateway_port), "GATEWAY_TRITON_URL": f"127.0.0.1:{given.grpc_port}"}
    return {**told, **environment, **ports}


def _absolute(interpreter: str) -> str:
    # not resolved: the link in a virtual environment is what selects its packages
    return os.path.abspath(interpreter)  # noqa: PTH100


def stop(processes: dict[str, subprocess.Popen[bytes]]) -> None:
    """The gateway first, so that it drains while Triton still answers."""
    for name in ("gateway", "Triton"):
        process = processes.get(name)
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 after a signal, 1 when one of the two ended by itself."""
    given = parse(arguments)
    stopping = False

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        check_port(given.gateway_port)
        start(given, processes)
        while not stopping:
            ended = [name for name, process in processes.items() if process.poll() is not None]
            if ended:
                sys.stderr.write(f"deploy: the {ended[0]} process ended (its message is above); stopping the rest.\n")
                return 1
            time.sleep(0.1)
        return 0
    except OSError as error:
        sys.stderr.write(
            f"deploy: {error.strerror}: port {given.gateway_port} must be free (choose another GATEWAY_PORT), and both "
            "interpreters must be there (`make install-server install-gateway`).\n"
        )
        return 1
    finally:
        stop(processes)


if __name__ == "__main__":
    sys.exit(main())
