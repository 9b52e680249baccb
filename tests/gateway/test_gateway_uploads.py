"""Receiving: size caps, forms, slow and vanishing clients."""

import contextlib
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


def test_an_upload_that_stands_still_is_given_up_soon(null_triton: TritonProcess, tmp_path: Path) -> None:
    with (
        running_gateway(null_triton.grpc_url, tmp_path / "log", receive_stall_s=0.5) as gateway,
        stalled(gateway, "/v1/predict", bytes(1000)) as connection,
    ):
        started = time.monotonic()
        answer = answer_of(connection)
        assert answer.startswith("HTTP/1.1 408")
        assert "for 0.5 seconds" in answer
        assert time.monotonic() - started < 2


def test_a_slow_upload_passes_while_it_keeps_coming(null_triton: TritonProcess, tmp_path: Path) -> None:
    def trickling(data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), 4096):
            yield data[start : start + 4096]
            time.sleep(0.1)

    settings = {"receive_timeout_s": 0.5, "receive_min_bytes_per_s": 10_000}
    with running_gateway(null_triton.grpc_url, tmp_path / "log", **settings) as gateway:
        image = photo()
        body = image + bytes(20 * 4096 - len(image))
        started = time.monotonic()
        assert httpx2.post(f"{gateway.url}/v1/predict", content=trickling(body)).status_code == 200
        assert time.monotonic() - started > 2


def test_a_slow_upload_is_given_up_where_others_need_its_memory(null_triton: TritonProcess, tmp_path: Path) -> None:
    settings = {"receive_timeout_s": 1, "upload_buffer_bytes": MEBIBYTE}
    with (
        running_gateway(null_triton.grpc_url, tmp_path / "log", **settings) as gateway,
        stalled(gateway, "/v1/predict", bytes(700_000), 900_000) as connection,
    ):
        started = time.monotonic()
        assert answer_of(connection).startswith("HTTP/1.1 503")  # its bytes alone had earned it 342 s
        assert time.monotonic() - started < 3


STRANGER = ("127.0.0.2", 0)


@contextlib.contextmanager
def stalled(gateway: GatewayProcess, path: str, body: bytes, length: int = 2_000_000) -> Iterator[socket.socket]:
    """An upload by a stranger that never ends."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5, source_address=STRANGER) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM['Content-Type']}\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode() + body)
        yield connection


def answer_of(connection: socket.socket) -> str:
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(65536)
    return answer.decode()


def test_one_client_cannot_fill_the_buffer(null_triton: TritonProcess, tmp_path: Path) -> None:
    settings = {"upload_buffer_bytes": 4 * MEBIBYTE, "group_max_bytes": MEBIBYTE}
    with running_gateway(null_triton.grpc_url, tmp_path / "log", **settings) as gateway, contextlib.ExitStack() as held:
        body = photo() + bytes(500_000)
        for _ in range(4):
            held.enter_context(stalled(gateway, "/v1/predict", bytes(1_000_000)))
        refusals = '"problem": "/problems/rate-limited"'
        wait_until(lambda: gateway.log.read_text().count(refusals) == 3, 3, "the share holds one of them")
        with httpx2.Client(transport=httpx2.HTTPTransport(local_address=STRANGER[0])) as stranger:
            refused = stranger.post(f"{gateway.url}/v1/predict", content=body)
            problem(refused, 429, "rate-limited")
            assert refused.headers["Retry-After"] == "1"
            assert httpx2.post(f"{gateway.url}/v1/predict", content=body).status_code == 200
            held.close()
            wait_until(
                lambda: stranger.post(f"{gateway.url}/v1/predict", content=body).status_code == 200,
                3,
                "share given back",
            )


def test_uploads_that_stand_still_take_no_slots(null_triton: TritonProcess, tmp_path: Path) -> None:
    with (
        running_gateway(null_triton.grpc_url, tmp_path / "log", max_in_flight=8) as gateway,
        contextlib.ExitStack() as held,
    ):
        for path in ("/v1/diagnoses", "/v1/predict"):
            for _ in range(10):
                held.enter_context(stalled(gateway, path, bytes(10)))
        time.sleep(0.3)
        assert httpx2.post(f"{gateway.url}/v1/predict", content=photo()).status_code == 200
        assert httpx2.post(f"{gateway.url}/v1/diagnoses", files={"file": photo()}).status_code == 200


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
