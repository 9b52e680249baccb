"""The demo's stack with a bot, seen by a real Prometheus on the project's own configuration."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx2
import yaml
from alerting import Alerting, running_alertmanager
from bot_process import running_bot
from demo_stack import Stack, running_stack
from messenger import Messenger, running_messenger
from observing import Quiet, running, serving
from processes import ROOT, free_ports

PROMETHEUS = shutil.which("prometheus")
FOLDER = ROOT / "deploy" / "prometheus"
GPU = "".join(
    f'{name}{{gpu_uuid="GPU-stand-in"}} {value}\n'
    for name, value in {
        "nv_gpu_utilization": 0.5,
        "nv_gpu_memory_total_bytes": 8e10,
        "nv_gpu_memory_used_bytes": 2e10,
        "nv_gpu_power_usage": 200.0,
        "nv_gpu_power_limit": 700.0,
        "nv_energy_consumption": 1000.0,
    }.items()
)
"""What Triton says of a GPU, by the names and the label of its documentation: this machine may have none."""


@dataclass(frozen=True)
class Observed:
    """A running stack and the Prometheus that scrapes it."""

    stack: Stack
    messenger: Messenger
    prometheus: str
    alerting: Alerting

    def query(self, expression: str) -> list[float]:
        """The values that an expression has now; fails the test where Prometheus does not understand it."""
        reply = httpx2.post(f"{self.prometheus}/api/v1/query", data={"query": expression}, timeout=10, trust_env=False)
        assert reply.status_code == 200, f"{expression}: {reply.text}"
        result = reply.json()["data"]
        if result["resultType"] == "scalar":
            return [float(result["result"][1])]
        return [float(sample["value"][1]) for sample in result["result"]]


@contextlib.contextmanager
def observed_stack(folder: Path) -> Iterator[Observed]:
    """Everything started and scraped every second."""
    gateway, bot = free_ports(2)
    told = {"GATEWAY_METRICS_PORT": str(gateway), "GATEWAY_DATA_DIR": str(folder / "state")}
    with (
        running_stack(folder, environment=os.environ | told) as stack,
        running_messenger(folder / "messenger.log") as messenger,
        running_bot(messenger, stack.url, folder / "bot", http_port=bot),
        serving(_with_gpu(stack.metrics_port)) as triton,
        running_alertmanager(folder) as alerting,
    ):
        ports = {
            "gateway:9464": gateway,
            "bot:9465": bot,
            "triton:8002": triton,
            "alertmanager:9093": alerting.port,
        }
        (port,) = free_ports(1)
        with running("prometheus", _prometheus(folder, ports), port, folder) as url:
            yield Observed(stack, messenger, url, alerting)


def _with_gpu(triton: int) -> type[BaseHTTPRequestHandler]:
    """Triton's real figures with those of a GPU behind them."""

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            figures = httpx2.get(f"http://127.0.0.1:{triton}/metrics", timeout=5, trust_env=False).text
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write((figures + GPU).encode())

    return Handler


def _prometheus(folder: Path, ports: dict[str, int]) -> list[str]:
    """Its command on the project's configuration and rules; only addresses and intervals are others."""
    assert PROMETHEUS is not None
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = dict.fromkeys(("scrape_interval", "evaluation_interval", "scrape_timeout"), "1s")
    for job in (*config["scrape_configs"], *config["alerting"]["alertmanagers"]):
        (targets,) = (one["targets"] for one in job["static_configs"])
        targets[:] = [f"127.0.0.1:{ports[name]}" for name in targets if name in ports]
    for name in config["rule_files"]:
        rules = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
        for group in rules["groups"]:
            group.pop("interval", None)
        (folder / name).write_text(yaml.safe_dump(rules))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [PROMETHEUS, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    return [*command, "--rules.alert.resend-delay=1s"]  # the first comes before Alertmanager is found
