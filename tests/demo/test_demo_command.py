"""`make demo` as a stranger runs it: what it prints, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import ROOT, TRITON_PYTHON, descendants, free_ports, wait_until

PORT_FLAGS = ("--gateway-port", "--http-port", "--grpc-port", "--metrics-port")
KEYS = {"predicted_class_id", "class_name", "confidence", "probabilities", "decision", "prediction_set", "members"}
KEYS |= {"release", "prediction_id", "request_id", "timings_ms"}


def command(*arguments: str, ports: list[int] | None = None) -> list[str]:
    """The demo's command line on free ports."""
    chosen = ports or free_ports(4)
    flags = [part for flag, port in zip(PORT_FLAGS, chosen, strict=True) for part in (flag, str(port))]
    return [sys.executable, "-m", "demo", "--triton-python", str(TRITON_PYTHON), *flags, *arguments]


def run(*arguments: str, ports: list[int] | None = None) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        command(*arguments, ports=ports), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_it_prints_a_diagnosis_and_ends_with_the_reply() -> None:
    result = run("--once")
    assert result.returncode == 0, result.stderr
    reply = json.loads(result.stdout.splitlines()[-1])
    assert reply.keys() >= KEYS
    assert f"leaf.jpg: {reply['class_name']} ({reply['confidence']:.0%})" in result.stdout
    assert [member["name"] for member in reply["members"]] == ["resnet18_narrow", "resnet18_wide"]
    assert "http://127.0.0.1:" in result.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_once_it_runs_until_it_is_stopped(number: signal.Signals) -> None:
    process = subprocess.Popen(command(), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                break
        pids = descendants(process.pid)
        assert pids
        process.send_signal(number)
        assert process.wait(60) == 0
        process.stdout.close()
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 10, "nothing is left running")


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("not a photo")
    result = run("--once", "--photo", str(tmp_path / "notes.jpg"))
    assert result.returncode == 1
    assert "notes.jpg was refused" in result.stderr
    assert "Send JPEG, PNG" in result.stderr


def test_a_missing_photo_is_named(tmp_path: Path) -> None:
    result = run("--once", "--photo", str(tmp_path / "nothing.jpg"))
    assert result.returncode == 1
    assert "cannot read" in result.stderr
    assert "PHOTO=path" in result.stderr


@pytest.mark.parametrize("taken", [0, 2], ids=["gateway", "triton"])
def test_a_taken_port_is_named(taken: int) -> None:
    ports = free_ports(4)
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports[taken]))
        other.listen()
        result = run("--once", ports=ports)
    assert result.returncode == 1
    assert str(ports[taken]) in result.stderr


def test_it_says_when_the_stack_dies_later(tmp_path: Path) -> None:
    with (tmp_path / "errors").open("w+") as errors:
        process = subprocess.Popen(command(), cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert process.stdout is not None
        while not process.stdout.readline().startswith("{"):
            time.sleep(0.01)
        gateway = [p for p in descendants(process.pid) if b"\0gateway\0" in Path(f"/proc/{p}/cmdline").read_bytes()]
        os.kill(gateway[0], signal.SIGKILL)
        assert process.wait(60) == 1
        process.stdout.close()
        errors.seek(0)
        assert "the gateway process ended" in errors.read()
