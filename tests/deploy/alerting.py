"""A real Alertmanager on the project's own configuration, and who it calls."""

import contextlib
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import yaml
from processes import ROOT, free_ports, wait_until

ALERTMANAGER = shutil.which("alertmanager") or shutil.which("prometheus-alertmanager")
CONFIGURATION = ROOT / "deploy" / "prometheus" / "alertmanager.yml"


def write_configuration(folder: Path, address: str, **timing: str) -> Path:
    """The configuration with plain addresses, since Debian's Alertmanager is older than addresses from files.

    Args:
        address: of every receiver; %s is the name of its file.
        timing: of every route, such as `group_wait`.
    """
    told = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    for receiver in told["receivers"]:
        (webhook,) = receiver["webhook_configs"]
        webhook["url"] = address % Path(webhook.pop("url_file")).name
    for route in (told["route"], *told["route"]["routes"]):
        route.update(timing)
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(told))
    return file


@dataclass
class Alerting:
    """An Alertmanager and what its receivers have heard."""

    port: int
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Receiver and alert."""

    @property
    def url(self) -> str:
        """Of its API."""
        return f"http://127.0.0.1:{self.port}/api/v2"

    def heard(self, receiver: str) -> set[str]:
        """Names of the alerts that a receiver has heard of."""
        return {alert["labels"]["alertname"] for who, alert in self.calls if who == receiver}

    def fire(self, *alerts: dict[str, str]) -> None:
        """Alerts by their labels, as Prometheus sends them."""
        httpx2.post(f"{self.url}/alerts", json=[{"labels": one} for one in alerts], timeout=5).raise_for_status()

    def held_back(self) -> set[str]:
        """Names of the alerts that others hold back."""
        shown = httpx2.get(f"{self.url}/alerts", timeout=5, trust_env=False).raise_for_status().json()
        return {alert["labels"]["alertname"] for alert in shown if alert["status"]["inhibitedBy"]}


@contextlib.contextmanager
def running_alertmanager(folder: Path) -> Iterator[Alerting]:
    """It groups for no time, so that a test sees at once what is sent."""
    port, mailbox = free_ports(2)
    alerting = Alerting(port)
    file = write_configuration(folder, f"http://127.0.0.1:{mailbox}/%s", group_wait="0s", group_interval="1s")
    command = [
        ALERTMANAGER,
        f"--config.file={file}",
        f"--storage.path={folder}/alertmanager",
        "--cluster.listen-address=",
    ]
    with _mailbox(mailbox, alerting), (folder / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        try:
            wait_until(lambda: _is_ready(process, port), 20, "Alertmanager ready")
            yield alerting
        finally:
            process.terminate()
            process.wait(20)


def _is_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    assert process.poll() is None, "Alertmanager has ended"
    with contextlib.suppress(httpx2.TransportError):
        return httpx2.get(f"http://127.0.0.1:{port}/-/ready", timeout=5, trust_env=False).status_code == 200
    return False


@contextlib.contextmanager
def _mailbox(port: int, alerting: Alerting) -> Iterator[None]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            alerting.calls.extend((self.path.strip("/"), alert) for alert in told["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
