"""Receiving: size caps, forms, slow and vanishing clients."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from null_repository import LIMITS
from photos import photo
from processes import GatewayProcess, TritonProcess, running_gateway, wait_until

MAX_BYTES = LIMITS["max_bytes"]
MEBIBYTE = 2**20


def problem(reply: httpx2.Response, status: int, slug: str) -> dict[str, object]:
    assert (reply.status_code, reply.headers["Content-Type"]) == (status, "application/problem+json"), reply.text
    assert reply.json()["type"] == f"/problems/{slug}"
    return reply.json()


def endless(megabytes: int) -> Iterator[bytes]:
    yield b"\xff\xd8\xff"
    for _ in range(megabytes):
        yield bytes(MEBIBYTE)


def test_declared_length_is_refused_before_the_body_is_sent(gateway: GatewayProcess) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=2) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n")
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413")


def test_chunked_body_is_cut_at_the_cap_without_holding_it(client: httpx2.Client, gateway: GatewayProcess) -> None:
    before = gateway.reset_peak()
    reply = client.post("/v1/predict", content=endless(400))
    problem(reply, 413, "upload-too-large")
    assert gateway.peak_bytes - before < 3 * MAX_BYTES


def test_the_cap_itself_is_accepted(client: httpx2.Client) -> None:
    image = photo()
    assert client.post("/v1/predict", content=image + bytes(MAX_BYTES - len(image))).status_code == 200
    problem(client.post("/v1/predict", content=image + bytes(MAX_BYTES - len(image) + 1)), 413, "upload-too-large")


def test_file_in_a_form_has_the_same_cap(client: httpx2.Client) -> None:
    reply = client.post("/v1/predict", files={"file": bytes(MAX_BYTES + 1)})
    problem(reply, 413, "upload-too-large")


def test_empty_body(client: httpx2.Client) -> None:
    problem(client.post("/v1/predict"), 400, "malformed-upload")


FORM = {"Content-Type": "multipart/form-data; boundary=B"}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param({"Content-Type": "multipart/form-data"}, b"--B--", id="no-boundary"),
        pytest.param({"Content-Type": "multipart/form-data; boundary=" + "b" * 500}, b"--B--", id="boundary-too-long"),
        pytest.param(FORM, b"", id="empty"),
        pytest.param(FORM, b"not a form", id="no-form"),
        pytest.param(FORM, b"--B\r\nContent-Disposition: form-data; name=other\r\n\r\nx\r\n--B--\r\n", id="no-file"),
        pytest.param(FORM, b"--B\r\nContent-Disposition: form-data; name=file\r\n\r\nx", id="unfinished"),
        pytest.param(FORM, b"--B\r\nContent-Disposition: form-data; name=file\r\n\r\n\r\n--B--\r\n", id="empty-file"),
        pytest.param(
            FORM, b"--B\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n" * 2 + b"--B--\r\n", id="two-files"
        ),
        pytest.param(FORM, b"--B\r\n\r\nx\r\n" * 300_000 + b"--B--\r\n", id="very-many-parts"),
        pytest.param(FORM, b"--B\r\n\r\n" + b"\r\n--Bx" * 300_000, id="very-many-almost-boundaries"),
        pytest.param(FORM, b"--B\r\n" + b"A: b\r\n" * 300_000, id="very-many-headers"),
    ],
)
def test_malformed_forms_are_refused_at_once(client: httpx2.Client, headers: dict[str, str], body: bytes) -> None:
    started = time.monotonic()
    problem(client.post("/v1/predict", content=body, headers=headers), 400, "malformed-upload")
    assert time.monotonic() - started < 2


def test_slow_upload_times_out(null_triton: TritonProcess, tmp_path: Path) -> None:
    def dripping() -> Iterator[bytes]:
        yield b"\xff\xd8"
        time.sleep(1.5)
        yield b"\xff"

    with running_gateway(null_triton.grpc_url, tmp_path / "log", receive_timeout_s=0.5) as gateway:
        problem(httpx2.post(f"{gateway.url}/v1/predict", content=dripping()), 408, "receive-timeout")


def logged(log: Path, **fields: object) -> bool:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return any(fields.items() <= line.items() for line in lines)


def test_client_that_leaves_during_the_upload_is_logged(gateway: GatewayProcess) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=2) as connection:
        connection.sendall(
            b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nX-Request-ID: leaves-early\r\nContent-Length: 9999\r\n\r\nabc"
        )
        time.sleep(0.2)
    wait_until(lambda: logged(gateway.log, request_id="leaves-early", event="request"), 3, "request logged")


def test_client_that_leaves_during_inference_cancels_it(gateway: GatewayProcess) -> None:
    image = photo("sleep=2")
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=2) as connection:
        head = (
            f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nX-Request-ID: leaves-late\r\nContent-Length: {len(image)}\r\n\r\n"
        )
        connection.sendall(head.encode() + image)
        time.sleep(0.3)
    wait_until(lambda: logged(gateway.log, request_id="leaves-late", event="request", status=499), 3, "status 499")
    assert time.monotonic() - started < 1.5
    time.sleep(2)  # the null model sleeps on; the next test shall not queue behind it


def test_upload_buffer_is_shared_and_given_back(null_triton: TritonProcess, tmp_path: Path) -> None:
    with running_gateway(null_triton.grpc_url, tmp_path / "log", upload_buffer_bytes=2 * MEBIBYTE) as gateway:
        image = photo()
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=2) as holder:
            holder.sendall(
                b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + bytes(1_990_000)
            )
            time.sleep(0.5)
            full = httpx2.post(f"{gateway.url}/v1/predict", content=image + bytes(500_000))
            assert problem(full, 503, "overloaded")
            assert full.headers["Retry-After"] == "1"
        wait_until(
            lambda: httpx2.post(f"{gateway.url}/v1/predict", content=image + bytes(500_000)).status_code == 200,
            3,
            "buffer given back",
        )
