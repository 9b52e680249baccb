"""`python3 -m deploy.probe` against a real Triton: it infers, and tells busy from broken."""

import os
import signal
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from null_repository import write_ensemble, write_null_model
from observing import Quiet, serving
from processes import ROOT, TritonProcess, free_ports

from deploy import probe

WARM_UP = ROOT / "demo" / "model_repository" / "preprocess" / "warmup" / "leaf.jpg"


@pytest.fixture
def triton(tmp_path: Path) -> Iterator[TritonProcess]:
    """Triton with release 1 of a null model loaded; release 2 lies in the repository and is not."""
    repository = tmp_path / "repository"
    repository.mkdir()
    write_null_model(repository)
    running = TritonProcess(repository, free_ports(3), load=(write_ensemble(repository, 1),))
    running.start()
    (repository / "preprocess" / "warmup").mkdir(parents=True)
    (repository / "preprocess" / "warmup" / "leaf.jpg").write_bytes(WARM_UP.read_bytes())
    (repository / "leaf_ensemble_2").mkdir()
    yield running
    running.stop()


def run(repository: Path, port: int, *flags: str) -> int:
    """The command, with the patience of a test."""
    return probe.main(["--repository", str(repository), "--port", str(port), "--timeout", "2", *flags])


def test_a_release_that_is_loaded_answers(triton: TritonProcess, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(triton.repository, triton.ports[0]) == 0
    assert capsys.readouterr().out == "leaf_ensemble_1 answers\n"
    (pid,) = [child for child in triton.pids() if Path(f"/proc/{child}/comm").read_text().strip() == "tritonserver"]
    os.kill(pid, signal.SIGSTOP)  # its port is open and nobody answers
    try:
        assert run(triton.repository, triton.ports[0], "--alive") == 1
    finally:
        os.kill(pid, signal.SIGCONT)
    assert "timed out" in capsys.readouterr().err


def test_without_a_loaded_release_it_is_said(triton: TritonProcess, capsys: pytest.CaptureFixture[str]) -> None:
    (triton.repository / "leaf_ensemble_1").rename(triton.repository / "leaf_ensemble_7")
    assert run(triton.repository, triton.ports[0]) == 1
    assert "leaf_ensemble_7 is not loaded; leaf_ensemble_2 is not loaded" in capsys.readouterr().err


def test_nobody_there_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "leaf_ensemble_1").mkdir()
    (tmp_path / "preprocess" / "warmup").mkdir(parents=True)
    (tmp_path / "preprocess" / "warmup" / "leaf.jpg").write_bytes(WARM_UP.read_bytes())
    assert run(tmp_path, free_ports(1)[0]) == 1
    assert "refused" in capsys.readouterr().err


def test_a_repository_without_a_photo_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, free_ports(1)[0]) == 1
    assert "no warm-up photo" in capsys.readouterr().err


class _Full(Quiet, BaseHTTPRequestHandler):
    """Ready, and its queue full, as Triton words it."""

    def do_GET(self) -> None:
        self._answer(200, b"")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(503, b'{"error":"Exceeds maximum queue size"}')

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_full_queue_is_alive_and_no_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "leaf_ensemble_1").mkdir()
    (tmp_path / "preprocess_2" / "warmup").mkdir(parents=True)
    (tmp_path / "preprocess_2" / "warmup" / "leaf.jpg").write_bytes(WARM_UP.read_bytes())
    with serving(_Full) as port:
        assert run(tmp_path, port, "--alive") == 0
        assert run(tmp_path, port) == 1
    said = capsys.readouterr()
    assert said.out == "leaf_ensemble_1 is busy\n"
    assert "answers 503" in said.err
