"""How the gateway starts and ends: one process or several, gentle end, dead workers, taken addresses."""

import asyncio
import collections
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
from hammering import hammer, read_answer, request_bytes
from photos import photo
from processes import ROOT, GatewayProcess, TritonProcess, descendants, free_ports, running_gateway, wait_until


def worker_pids(gateway: GatewayProcess) -> list[int]:
    """Process ids in the lines with which each worker says that it answers."""
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines() if "running on" in line]
    return [line["pid"] for line in lines]


@pytest.mark.parametrize(
    ("workers", "keep_alive"),
    [
        (1, True),
        (2, False),
        pytest.param(1, False, marks=pytest.mark.long),
        pytest.param(2, True, marks=pytest.mark.long),
    ],
)
def test_no_accepted_request_is_lost_at_the_end(
    null_triton: TritonProcess, tmp_path: Path, workers: int, keep_alive: bool
) -> None:
    with running_gateway(null_triton.grpc_url, tmp_path / "log", workers=workers) as gateway:
        wait_until(lambda: len(worker_pids(gateway)) == workers, 20, "all workers up")
        port = gateway.port

        async def end_under_load() -> collections.Counter[str]:
            stop, outcomes = asyncio.Event(), collections.Counter[str]()
            clients = [asyncio.create_task(hammer(port, photo(), stop, outcomes, keep_alive)) for _ in range(12)]
            await asyncio.sleep(1)
            gateway.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(gateway.process.wait, 20) == 0
            stop.set()
            await asyncio.gather(*clients)
            return outcomes

        outcomes = asyncio.run(end_under_load())
        assert set(outcomes) == {"200", "refused"}, outcomes
        assert outcomes["200"] > 50


@pytest.mark.parametrize("workers", [1, 2])
def test_while_draining_photos_are_answered_and_readiness_says_no(
    null_triton: TritonProcess, tmp_path: Path, workers: int
) -> None:
    settings = {"workers": workers, "drain_notice_s": 1.5}
    with running_gateway(null_triton.grpc_url, tmp_path / "log", **settings) as gateway:
        wait_until(lambda: len(worker_pids(gateway)) == workers, 20, "all workers up")
        url = gateway.url
        with httpx2.Client(base_url=url, timeout=5) as kept:
            assert kept.get("/health/ready").status_code == 200
            gateway.process.send_signal(signal.SIGTERM)
            time.sleep(0.7)
            for ready in (kept.get("/health/ready"), httpx2.get(f"{url}/health/ready")):
                assert (ready.status_code, ready.json()["type"]) == (503, "/problems/shutting-down")
                assert int(ready.headers["Retry-After"]) > 0
                assert ready.headers["Connection"] == "close"
        assert httpx2.post(f"{url}/v1/predict", content=photo()).status_code == 200
        assert gateway.process.wait(20) == 0
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{url}/health")


@pytest.mark.parametrize(
    ("workers", "number"),
    [(1, signal.SIGINT), (2, signal.SIGTERM), pytest.param(1, signal.SIGTERM, marks=pytest.mark.long)],
)
def test_a_photo_in_work_is_answered_before_the_end(
    null_triton: TritonProcess, tmp_path: Path, workers: int, number: signal.Signals
) -> None:
    with running_gateway(null_triton.grpc_url, tmp_path / "log", workers=workers) as gateway:

        async def end_during_request() -> int:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(request_bytes(photo("sleep=1.5"), close=False))
            await asyncio.sleep(0.5)
            gateway.process.send_signal(number)
            status, *_ = await asyncio.wait_for(read_answer(reader), 10)
            writer.close()
            return status

        assert asyncio.run(end_during_request()) == 200
        assert gateway.process.wait(20) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_the_end_is_bounded(null_triton: TritonProcess, tmp_path: Path, workers: int) -> None:
    settings = {"workers": workers, "shutdown_grace_s": 1}
    with running_gateway(null_triton.grpc_url, tmp_path / "log", **settings) as gateway:

        async def end_during_upload() -> tuple[int, dict[str, str], bytes]:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(request_bytes(photo(), close=False)[:-100])  # the rest never comes
            await asyncio.sleep(0.5)
            gateway.process.send_signal(signal.SIGTERM)
            answer = await asyncio.wait_for(read_answer(reader), 10)
            writer.close()
            return answer

        started = time.monotonic()
        status, fields, body = asyncio.run(end_during_upload())
        assert (status, json.loads(body)["type"]) == (503, "/problems/shutting-down")
        assert int(fields["retry-after"]) > 0
        assert gateway.process.wait(20) == 0
        assert time.monotonic() - started < 6
        assert "Traceback" not in gateway.log.read_text()


def test_a_dead_worker_is_replaced(null_triton: TritonProcess, tmp_path: Path) -> None:
    with running_gateway(null_triton.grpc_url, tmp_path / "log", workers=2) as gateway:
        wait_until(lambda: len(worker_pids(gateway)) == 2, 20, "both workers up")
        first = worker_pids(gateway)
        assert set(first) < set(descendants(gateway.process.pid))
        os.kill(first[0], signal.SIGKILL)
        assert httpx2.post(f"{gateway.url}/v1/predict", content=photo(), timeout=10).status_code == 200
        wait_until(lambda: len(worker_pids(gateway)) == 3, 20, "a successor")
        assert "worker died" in gateway.log.read_text()
        os.kill(first[1], signal.SIGTERM)  # one that ends by itself takes nobody with it
        wait_until(lambda: len(worker_pids(gateway)) == 4, 20, "another successor")
        for _ in range(20):
            assert httpx2.post(f"{gateway.url}/v1/predict", content=photo(), timeout=10).status_code == 200
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(20) == 0


def test_workers_do_not_outlive_a_killed_parent(null_triton: TritonProcess, tmp_path: Path) -> None:
    with running_gateway(null_triton.grpc_url, tmp_path / "log", workers=2) as gateway:
        wait_until(lambda: len(worker_pids(gateway)) == 2, 20, "both workers up")
        pids, port = worker_pids(gateway), gateway.port
        gateway.process.kill()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 10, "workers ended")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))


def start_to_its_end(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway"],
        cwd=ROOT,
        env=os.environ | {"GATEWAY_TRITON_URL": "127.0.0.1:1"} | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("workers", "name"),
    [
        ("1", "GATEWAY_PORT"),
        ("2", "GATEWAY_METRICS_PORT"),
        pytest.param("2", "GATEWAY_PORT", marks=pytest.mark.long),
        pytest.param("1", "GATEWAY_METRICS_PORT", marks=pytest.mark.long),
    ],
)
def test_a_taken_address_is_named(tmp_path: Path, workers: str, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ports = {"GATEWAY_PORT": "0", name: port}
        ended = start_to_its_end(GATEWAY_WORKERS=workers, GATEWAY_DATA_DIR=str(tmp_path), **ports)
    assert ended.returncode == 1
    assert f"127.0.0.1:{port} (Address already in use)" in ended.stderr
    assert name in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    ended = start_to_its_end(
        GATEWAY_HOST="192.0.2.7",
        GATEWAY_PORT=str(free_ports(1)[0]),
        GATEWAY_DATA_DIR=str(tmp_path),
        GATEWAY_AUTH="open",
    )
    assert ended.returncode == 1
    assert "192.0.2.7" in ended.stderr
    assert "GATEWAY_HOST" in ended.stderr


def test_a_worker_that_cannot_start_ends_everything(tmp_path: Path) -> None:
    script = (
        "import socket, sys\n"
        "from gateway.workers import START_FAILED, Supervisor\n"
        "def work(_):\n    sys.exit(START_FAILED)\n"
        "if __name__ == '__main__':\n"
        "    sys.exit(Supervisor(2, work, socket.socket(), 0, 5).run())\n"
    )
    path = tmp_path / "supervised.py"
    path.write_text(script)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, path], env=environment, capture_output=True, timeout=30, check=False)
    assert ended.returncode == 3


async def answer_to(port: int, pieces: list[bytes], pause_s: float = 0) -> tuple[int, dict[str, str], bytes]:
    """The answer to bytes sent one piece after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(pause_s)
        return await asyncio.wait_for(read_answer(reader), 10)
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("pieces", "status", "kind"),
    [
        ([b"no http at all\r\n\r\n"], 400, "malformed-request"),
        ([b"POSTED /v1/predict HTTP/1.1\r\n\r\n"], 400, "malformed-request"),
        ([b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n"], 400, "malformed-request"),
        ([b"POST /v1/predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n"], 400, "malformed-request"),
        ([b"GET / HTTP/1.1\r\nX: ", *[b"a" * 10_000] * 10], 431, "head-too-large"),
        ([b"GET /", *[b"a" * 10_000] * 10], 431, "head-too-large"),
    ],
)
def test_what_is_no_http_gets_a_problem(gateway: GatewayProcess, pieces: list[bytes], status: int, kind: str) -> None:
    found, fields, body = asyncio.run(answer_to(gateway.port, pieces, 0.02))
    assert (found, fields["content-type"]) == (status, "application/problem+json")
    problem = json.loads(body)
    assert (problem["status"], problem["type"]) == (status, f"/problems/{kind}")


def test_a_head_has_its_time(null_triton: TritonProcess, tmp_path: Path) -> None:
    with running_gateway(null_triton.grpc_url, tmp_path / "log", receive_timeout_s=1) as gateway:
        slow = [b"GET /health HTTP/1.1\r\n", *[b"X: y\r\n"] * 4]
        status, _, body = asyncio.run(answer_to(gateway.port, slow, 0.3))
        assert (status, json.loads(body)["type"]) == (408, "/problems/receive-timeout")
        status, *_ = asyncio.run(answer_to(gateway.port, []))
        assert status == 408  # a connection without a word too

        async def second_head_is_slow() -> list[int]:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            statuses = [(await read_answer(reader))[0]]
            await asyncio.sleep(1.5)  # idle between two requests is not slow
            writer.write(b"GET /health HT")
            statuses.append((await asyncio.wait_for(read_answer(reader), 5))[0])
            writer.close()
            return statuses

        assert asyncio.run(second_head_is_slow()) == [200, 408]
