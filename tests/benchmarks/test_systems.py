"""What systems are started with, and what is read from the system of their processes."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmarks import accounting
from benchmarks.systems import peers, release
from benchmarks.systems.catalog import OURS, REFERENCE, SYSTEMS
from benchmarks.targets import HttpTarget

ROOT = Path(__file__).parents[2]
REPOSITORY, MEMBERS = ROOT / "demo/model_repository", ROOT / "demo/members"


def test_release_of_the_demo_as_peers_need_it(tmp_path: Path) -> None:
    found = release.read(REPOSITORY, MEMBERS)
    assert found.ensemble == "leaf_ensemble_1"
    assert [member.name for member in found.members] == ["resnet18_narrow", "resnet18_wide"]
    assert sum(member.weight for member in found.members) == pytest.approx(1)
    for member in found.members:
        assert Path(member.onnx).is_file()
        assert (Path(member.folder) / "model.safetensors").is_file()
        assert (member.input, member.output) == (f"pixels_{member.name}", f"probabilities_{member.name}")
        assert member.precision == "float32"
    found.write(tmp_path / "release.json")
    assert json.loads((tmp_path / "release.json").read_text())["members"][0]["temperature"] == 0.7446


def test_release_in_another_precision(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY, tmp_path / "repository")
    (tmp_path / "repository/resnet18_wide/1/cpu_engine.json").write_text('{"precision": "int8"}')
    found = release.read(tmp_path / "repository", MEMBERS)
    assert [member.precision for member in found.members] == ["float32", "int8"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="holds no release"):
        release.read(tmp_path, MEMBERS)
    with pytest.raises(SystemExit, match="resnet18_narrow is no trained-model folder"):
        release.read(REPOSITORY, tmp_path)


def test_ours_and_the_reference_are_systems_and_names_are_their_own() -> None:
    assert next(iter(SYSTEMS)) == OURS
    assert REFERENCE in SYSTEMS
    assert all(name == system.name for name, system in SYSTEMS.items())


def test_peers_run_the_versions_that_we_run() -> None:
    def pinned(lock: str, package: str) -> str:
        found = re.search(rf"^{package}==(\S+)", (ROOT / f"requirements/{lock}.txt").read_text(), re.MULTILINE)
        assert found
        return found[1]

    assert pinned("peers", "openvino") == pinned("server", "openvino")
    for package in ("torch", "timm", "onnxruntime", "pillow"):
        assert pinned("peers", package) == pinned("export", package)


def test_processor_time_and_memory_are_of_children_too() -> None:
    busy = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\ntime.sleep(30)"
    shell = subprocess.Popen(["sh", "-c", f"{sys.executable} -c '{busy}'; true"], start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while accounting.cpu_s(accounting.tree([shell.pid])) < 0.3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        pids = accounting.tree([shell.pid])
        memory = accounting.memory_mib(pids)
        assert len(pids) == 2
        assert 2 < memory["pss"] <= memory["rss"]
    finally:
        os.killpg(shell.pid, 9)
        shell.wait()
    assert accounting.cpu_s([shell.pid]) == 0


def test_a_form_holds_the_photo_under_the_field_that_is_wanted() -> None:
    body, content_type = HttpTarget(1, form_field="request").body(b"bytes")
    assert content_type == "multipart/form-data; boundary=leaf"
    assert b'name="request"' in body
    assert b"\r\n\r\nbytes\r\n--leaf--\r\n" in body
    assert HttpTarget(1).body(b"bytes") == (b"bytes", "image/jpeg")


def test_workers_of_pytorch_peers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "cores", lambda: 8)
    monkeypatch.delenv("PEER_WORKERS", raising=False)
    assert (peers.shares("eager-bfloat16"), peers.shares("engine")) == ((8, 1), (2, 8))
    monkeypatch.setenv("PEER_WORKERS", "1")
    assert (peers.shares("eager-bfloat16"), peers.shares("engine")) == ((1, 8), (2, 8))
    assert peers.told("eager-bfloat16") == "workers: 1, threads of each: 8"


def test_a_refusal_is_heard_though_the_photo_was_not_read() -> None:
    listening = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        connection, _ = listening.accept()
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.2)
        connection.close()

    server = threading.Thread(target=refuse)
    server.start()
    try:
        connection = HttpTarget(listening.getsockname()[1], timeout_s=5).connect()
        # more than the buffers of both sides hold, so that sending fails
        assert connection.ask(bytes(30_000_000)).status == 503
    finally:
        server.join()
        listening.close()


def test_nobody_there_is_no_answer() -> None:
    connection = HttpTarget(1, timeout_s=1).connect()
    assert connection.ask(b"photo").status == 0
    with pytest.raises(RuntimeError, match="answered 0"):
        _ = connection.ask(b"photo").probabilities
