"""Prometheus' programs as processes of a test, and servers that stand in for whom they ask or call."""

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
from processes import wait_until


@contextlib.contextmanager
def running(name: str, command: list[str], port: int, folder: Path) -> Iterator[str]:
    """Prometheus or Alertmanager on a port of this machine, ready; its address."""
    log, url = folder / f"{name}.log", f"http://127.0.0.1:{port}"
    with log.open("wb") as stream:
        listening = [*command, f"--web.listen-address=127.0.0.1:{port}"]
        process = subprocess.Popen(listening, stdout=stream, stderr=subprocess.STDOUT)

    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(httpx2.TransportError):
            return httpx2.get(f"{url}/-/ready", timeout=5, trust_env=False).status_code == 200
        return False

    try:
        wait_until(is_ready, 30, f"{name} ready")
        yield url
    finally:
        process.terminate()
        process.wait(30)


class Quiet:
    """Laid over a server's handler: nothing is said of the requests that it gets."""

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """An HTTP server on any port of this machine; that port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
