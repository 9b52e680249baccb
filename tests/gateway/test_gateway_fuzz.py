"""Garbage on purpose, against the demo's real stack: mutated images, and requests made from the API's own description."""

import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from mutated import as_form, mutated_images
from photos import photo
from processes import ROOT, GatewayProcess, TritonProcess, free_ports, running_gateway

MEBIBYTE = 1024 * 1024
MOST_GROWTH = 512 * MEBIBYTE
MOST_SECONDS = 5.0
NO_LIMITS = dict.fromkeys(("rate_limit", "request_rate_limit", "auth_failure_limit"), "1000000/second")


@dataclass
class Stack:
    """The demo's Triton and a gateway."""

    triton: TritonProcess
    gateway: GatewayProcess

    def pids(self) -> dict[int, str]:
        """All its processes and what they belong to."""
        return {self.gateway.process.pid: "gateway"} | dict.fromkeys(self.triton.pids(), "triton")


@pytest.fixture(scope="module")
def demo_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonProcess]:
    repository = tmp_path_factory.mktemp("demo") / "model_repository"
    repository.symlink_to(ROOT / "demo" / "model_repository")  # its log belongs beside the link
    triton = TritonProcess(repository, free_ports(3), load=("leaf_ensemble_1",))
    triton.start()
    yield triton
    triton.stop()


@pytest.fixture(scope="module")
def stack(demo_triton: TritonProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    log = tmp_path_factory.mktemp("fuzzed") / "log"
    with running_gateway(demo_triton.grpc_url, log, **NO_LIMITS) as gateway:
        yield Stack(demo_triton, gateway)


def memory(pid: int, name: str) -> int:
    """`VmRSS` or `VmHWM` of a process, in bytes."""
    return int(Path(f"/proc/{pid}/status").read_text().split(f"{name}:")[1].split()[0]) * 1024


def send_all(stack: Stack, seed: int, count: int) -> Counter[int]:
    """Send mutated images, four at a time; every answer is checked."""
    chance = random.Random(seed)

    def send(http: httpx2.Client, name: str, data: bytes, form: tuple[bytes, str] | None) -> int:
        body, kind = form or (data, "application/octet-stream")
        started = time.monotonic()
        reply = http.post("/v1/predict", content=body, headers={"Content-Type": kind})
        seconds = time.monotonic() - started
        assert seconds < MOST_SECONDS, f"{name}: {seconds:.1f} s, {reply.status_code} {reply.text[:300]}"
        assert reply.status_code in (200, 400, 413, 415, 422, 503), f"{name}: {reply.status_code} {reply.text[:300]}"
        if reply.status_code != 200:
            problem = reply.json()
            assert reply.headers["Content-Type"] == "application/problem+json", name
            assert problem["status"] == reply.status_code, name
            assert len(problem["detail"]) > 10, name
        if reply.status_code == 503:
            assert int(reply.headers["Retry-After"]) > 0, name
        return reply.status_code

    with httpx2.Client(base_url=stack.gateway.url, timeout=30) as http, ThreadPoolExecutor(4) as pool:
        waiting, statuses = [], Counter[int]()
        for name, data in mutated_images(seed, count):
            form = as_form(data, chance) if chance.random() < 0.2 else None
            waiting.append(pool.submit(send, http, name, data, form))
            if len(waiting) >= 16:
                statuses[waiting.pop(0).result()] += 1
        for sent in waiting:
            statuses[sent.result()] += 1
    return statuses


def require_survival(stack: Stack, seed: int, count: int) -> None:
    for _ in range(8):
        assert httpx2.post(f"{stack.gateway.url}/v1/predict", content=photo(), timeout=10).status_code == 200
    before = stack.pids()
    idle = {pid: memory(pid, "VmRSS") for pid in before}
    for pid in before:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    statuses = send_all(stack, seed, count)
    assert stack.pids() == before, "a process was replaced"
    for part in ("gateway", "triton"):
        growth = sum(memory(pid, "VmHWM") - idle[pid] for pid, owner in before.items() if owner == part)
        assert growth < MOST_GROWTH, f"{part} grew by {growth / MEBIBYTE:.0f} MiB"
    assert statuses[503] < count / 10
    assert statuses[200] > count / 50  # some mutations do no harm
    assert statuses[422] > count / 10
    assert httpx2.post(f"{stack.gateway.url}/v1/predict", content=photo(), timeout=10).status_code == 200


def test_150_mutated_images(stack: Stack) -> None:
    require_survival(stack, seed=1, count=150)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_2000_mutated_images(stack: Stack) -> None:
    require_survival(stack, seed=2026, count=2000)


def run_schemathesis(gateway: GatewayProcess, folder: Path, *arguments: str) -> int:
    """Make requests from the API's description; fails on any failed check, else returns how many cases there were.

    All checks are on unless told otherwise; `--checks all` would pass over what the configuration narrows.
    """
    here = Path(__file__).parent
    command = [Path(sys.executable).with_name("schemathesis"), "--config-file", here / "schemathesis.toml", "run"]
    command += [f"{gateway.url}/openapi.json", "--no-color", "--continue-on-failure", *arguments]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(here)}
    pid = gateway.process.pid
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1700, check=False
    )
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-5_000:]
    assert gateway.process.poll() is None
    assert gateway.process.pid == pid
    assert '"event": "defect"' not in gateway.log.read_text()
    found = re.search(r"Test cases:\n\s+([\d,]+) generated", ended.stdout)
    assert found, ended.stdout[-3_000:]
    return int(found[1].replace(",", ""))


@pytest.fixture
def guarded(null_triton: TritonProcess, tmp_path: Path) -> Iterator[tuple[GatewayProcess, str]]:
    """A gateway that wants keys, and a key that may do everything."""
    log = tmp_path / "log"
    environment = os.environ | {"GATEWAY_DATA_DIR": str(log.with_suffix(".state"))}
    command = [sys.executable, "-m", "gateway", "keys", "create", "--name", "fuzz"]
    scopes = [part for scope in ("predict", "delegate", "review", "admin") for part in ("--scope", scope)]
    made = subprocess.run(
        [*command, *scopes], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    found = re.search(r"leaf_[0-9a-f]{8}_[\w-]{43}", made.stdout)
    assert found
    with running_gateway(null_triton.grpc_url, log, auth="required", **NO_LIMITS) as gateway:
        yield gateway, found[0]


@pytest.fixture
def opened(null_triton: TritonProcess, tmp_path: Path) -> Iterator[GatewayProcess]:
    with running_gateway(null_triton.grpc_url, tmp_path / "log", **NO_LIMITS) as gateway:
        yield gateway


QUICK = ("--phases", "examples,fuzzing", "--max-examples", "8", "--seed", "1")
LONG = ("--max-examples", "350", "--seed", "2026")


@pytest.mark.long
def test_requests_from_the_description(opened: GatewayProcess, tmp_path: Path) -> None:
    assert run_schemathesis(opened, tmp_path, *QUICK) >= 100


def test_requests_from_the_description_with_a_key(guarded: tuple[GatewayProcess, str], tmp_path: Path) -> None:
    gateway, key = guarded
    assert run_schemathesis(gateway, tmp_path, "-H", f"Authorization: Bearer {key}", *QUICK) >= 100


def test_requests_from_the_description_without_the_key_needed(
    guarded: tuple[GatewayProcess, str], tmp_path: Path
) -> None:
    assert run_schemathesis(guarded[0], tmp_path, *QUICK) >= 100


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_5000_requests_from_the_description(stack: Stack, tmp_path: Path) -> None:
    assert run_schemathesis(stack.gateway, tmp_path, *LONG) >= 5000


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_5000_requests_from_the_description_with_a_key(guarded: tuple[GatewayProcess, str], tmp_path: Path) -> None:
    gateway, key = guarded
    assert run_schemathesis(gateway, tmp_path, "-H", f"Authorization: Bearer {key}", *LONG) >= 5000
