"""A real Alertmanager on the project's own configuration, and who it calls."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx2
import yaml
from observing import Quiet, running, serving
from processes import ROOT, free_ports

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
    assert ALERTMANAGER is not None
    (port,) = free_ports(1)
    alerting = Alerting(port)

    class Mailbox(Quiet, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            alerting.calls.extend((self.path.strip("/"), alert) for alert in told["alerts"])
            self.send_response(200)
            self.end_headers()

    with serving(Mailbox) as mailbox:
        file = write_configuration(folder, f"http://127.0.0.1:{mailbox}/%s", group_wait="0s", group_interval="1s")
        command = [ALERTMANAGER, f"--config.file={file}", f"--storage.path={folder}/alertmanager"]
        with running("alertmanager", [*command, "--cluster.listen-address="], port, folder):
            yield alerting
