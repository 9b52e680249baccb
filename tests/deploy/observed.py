"""The demo's stack with a bot, seen by a real Prometheus on the project's own configuration."""

import contextlib
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import yaml
from alerting import Alerting, running_alertmanager
from bot_process import running_bot
from demo_stack import Stack, running_stack
from messenger import Messenger, running_messenger
from processes import ROOT, free_ports, wait_until

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
    gateway, bot, proxy = free_ports(3)
    told = {"GATEWAY_METRICS_PORT": str(gateway), "GATEWAY_DATA_DIR": str(folder / "state")}
    with (
        running_stack(folder, environment=os.environ | told) as stack,
        running_messenger(folder / "messenger.log") as messenger,
        running_bot(messenger, stack.url, folder / "bot", http_port=bot),
        _with_gpu(proxy, stack.metrics_port),
        running_alertmanager(folder) as alerting,
        _prometheus(
            folder,
            {
                "gateway:9464": gateway,
                "bot:9465": bot,
                "triton:8002": proxy,
                "alertmanager:9093": alerting.port,
            },
        ) as url,
    ):
        yield Observed(stack, messenger, url, alerting)


@contextlib.contextmanager
def _with_gpu(port: int, triton: int) -> Iterator[None]:
    """Triton's real figures with those of a GPU behind them."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            figures = httpx2.get(f"http://127.0.0.1:{triton}/metrics", timeout=5, trust_env=False).text
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write((figures + GPU).encode())

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


@contextlib.contextmanager
def _prometheus(folder: Path, ports: dict[str, int]) -> Iterator[str]:
    """The project's configuration and rules; only addresses and intervals are others."""
    (port,) = free_ports(1)
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
    command += ["--rules.alert.resend-delay=1s"]  # the first comes before Alertmanager is found
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        with contextlib.suppress(httpx2.TransportError):
            return httpx2.get(f"{url}/-/ready", timeout=5, trust_env=False).status_code == 200
        return False

    try:
        wait_until(is_ready, 30, "Prometheus ready")
        yield url
    finally:
        process.terminate()
        process.wait(30)
