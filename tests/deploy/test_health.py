"""`python -m deploy.health`, what containers are asked by."""

import subprocess
import sys
from http.server import BaseHTTPRequestHandler

import pytest
from observing import Quiet, serving
from processes import ROOT


class _Service(Quiet, BaseHTTPRequestHandler):
    """Well, but for /ill."""

    def do_GET(self) -> None:
        self.send_response(503 if self.path == "/ill" else 200)
        self.end_headers()
        self.wfile.write(b"the reason")


@pytest.mark.parametrize(("path", "code", "said"), [("/", 0, ""), ("/ill", 1, "answers 503: the reason")])
def test_a_service_is_asked_past_the_machines_proxy(path: str, code: int, said: str) -> None:
    with serving(_Service) as port:
        command = [sys.executable, "-m", "deploy.health", f"http://127.0.0.1:{port}{path}"]
        proxy = "http://127.0.0.1:9"
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={"HTTP_PROXY": proxy, "http_proxy": proxy},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == code
    assert said in done.stderr
