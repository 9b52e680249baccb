"""What the acceptance makes of a gateway: a stand-in that can be told to misbehave; a compose client moves its release."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from processes import ROOT

from deploy.acceptance import checks
from deploy.acceptance.__main__ import main

CLIENT = """#!/bin/sh
while [ "${1#--}" != "$1" ]; do shift 2; done
echo "$*" >> FOLDER/said
case "$*" in
    *"keys create"*) echo leaf_key ;;
    *"release promote"*) echo 2 > FOLDER/next; mv FOLDER/next FOLDER/release; sleep 0.3; exit PROMOTED ;;
    *"release rollback"*) echo 1 > FOLDER/next; mv FOLDER/next FOLDER/release; sleep 0.3 ;;
    *metrics*) cat FOLDER/metrics ;;
    logs*) echo "triton | a reason" ;;
esac
"""
METRICS = """nv_inference_request_success{model="vit",version="1"} 10
nv_inference_exec_count{model="vit",version="1"} 5
nv_inference_compute_infer_duration_us{model="vit",version="1"} 100
"""


@dataclass
class Gateway:
    """Answers JPEGs that end as JPEGs do; refuses all else."""

    folder: Path
    port: int = 0
    bad_status: int = 422
    drift: float = 0.0
    """By which the probability moves with every photo."""
    mixed: bool = False
    """Whether photos that were asked about before get another one's answer."""
    known: dict[bytes, float] = field(default_factory=dict)
    """Probability by photo."""
    refused: list[int] = field(default_factory=list)
    photos: int = 0

    def answer(self, body: bytes) -> tuple[int, dict[str, object]]:
        """Status and body."""
        if not (body.startswith(b"\xff\xd8") and body.endswith(b"\xff\xd9") and len(body) < 20_000_000):
            self.refused.append(len(body))
            return self.bad_status, {"type": "/problems/x", "detail": "no photo"}
        self.photos += 1
        first = body not in self.known
        probability = self.known.setdefault(body, 0.9 - len(self.known) / 10)
        if self.mixed and not first:
            others = list(self.known.values())
            probability = others[others.index(probability) - 1]
        probability -= self.drift * self.photos
        release = int((self.folder / "release").read_text())
        return 200, {"release": release, "probabilities": {"a": probability, "b": 1 - probability}}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """Listening, with release 1."""
    made = Gateway(tmp_path)
    (tmp_path / "release").write_text("1")
    (tmp_path / "metrics").write_text(METRICS)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Health."""
            self.reply(200, {})

        def do_POST(self) -> None:
            """A photo."""
            self.reply(*made.answer(self.rfile.read(int(self.headers["Content-Length"]))))

        def reply(self, status: int, body: dict[str, object]) -> None:
            """Write it."""
            words = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(words)))
            self.end_headers()
            self.wfile.write(words)

        def log_message(self, *_arguments: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


def accept(gateway: Gateway, *flags: str, promoted: int = 0) -> tuple[int, dict[str, dict[str, object]], list[str]]:
    """Exit code, the report's checks by name, and what the compose client was asked."""
    client = gateway.folder / "client"
    client.write_text(CLIENT.replace("FOLDER", str(gateway.folder)).replace("PROMOTED", str(promoted)))
    client.chmod(0o755)
    arguments = ["--compose", str(client), "--port", str(gateway.port), "--work", str(gateway.folder / "work")]
    arguments += ["--repository", str(ROOT / "demo" / "model_repository"), "--seconds", "0.2", "--clients", "2"]
    code = main([*arguments, "--others", "2", "--switches", "4", *flags])
    report = json.loads((gateway.folder / "work" / "report.json").read_text())
    said = (gateway.folder / "said").read_text().splitlines()
    return code, {check["name"]: check for check in report["checks"]}, said


def test_a_good_gateway_passes(gateway: Gateway) -> None:
    code, found, said = accept(gateway)
    assert (code, [name for name, check in found.items() if not check["passed"]]) == (0, [])
    assert list(found) == ["plans", "start", "answers", "bad images", "batches", "switches", "throughput, 2 clients"]
    assert len(gateway.refused) == 50
    assert [line.rpartition(" release ")[2] for line in said if " release " in line] == ["promote 2", "rollback"] * 2
    assert said[-1] == "down --volumes"
    assert len(gateway.known) == 4, "one photo would show no mix-up: it is turned"
    assert not (gateway.folder / "work" / "logs.txt").exists()


def test_a_server_error_for_a_bad_image_fails(gateway: Gateway) -> None:
    gateway.bad_status = 500
    code, found, _ = accept(gateway)
    assert (code, found["bad images"]["passed"], found["switches"]["passed"]) == (1, False, True)


def test_answers_that_depend_on_their_batch_fail(gateway: Gateway) -> None:
    gateway.drift = 0.0001
    code, found, _ = accept(gateway)
    assert (code, found["batches"]["passed"]) == (1, False)


def test_answers_that_are_somebody_elses_fail(gateway: Gateway) -> None:
    gateway.mixed = True
    code, found, _ = accept(gateway)
    assert (code, found["answers"]["passed"], found["batches"]["passed"]) == (1, True, False)


def test_a_release_that_does_not_prove_itself_fails(gateway: Gateway) -> None:
    code, found, _ = accept(gateway, promoted=3)
    assert (code, found["switches"]["passed"]) == (1, False)
    assert "release promote 2 ended with status 3" in str(found["switches"]["text"])
    assert (gateway.folder / "work" / "logs.txt").read_text() == "triton | a reason\n"


def test_without_photos_it_says_so(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    code, found, said = accept(gateway, "--photos", str(tmp_path / "none"), "--profile", "cpu", "--keep")
    assert (code, list(found)) == (1, ["course"])
    assert "holds no JPEG photo" in str(found["course"]["text"])
    assert not [line for line in said if line.startswith("down")]


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [({"a": 0.5}, {"a": 0.4}, 0.1), ({"a": 0.5}, {"b": 0.5}, 1.0), ({}, {}, 1.0)],
)
def test_differences_are_the_largest_of_a_class(one: dict[str, float], other: dict[str, float], apart: float) -> None:
    assert checks.difference(one, other) == pytest.approx(apart)
