"""One trace from the caller through the gateway into Triton, received by a real OTLP receiver."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from null_repository import write_ensemble, write_null_model
from otlp import ReceivedSpan, Receiver, otlp_receiver
from photos import photo
from processes import GatewayProcess, TritonProcess, free_ports, running_gateway, wait_until

from gateway.observe.traces import Traces

TRACES = ["0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c", "2af7651916cd43dd8448eb211c80319c"]
PARENT = "b7ad6b7169203331"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with otlp_receiver() as running:
        yield running


@pytest.fixture(scope="module")
def traced(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway and a Triton that both send their traces to the receiver."""
    repository = tmp_path_factory.mktemp("traced") / "repository"
    write_null_model(repository)
    arguments = (
        "--",
        "--trace-config=mode=opentelemetry",
        f"--trace-config=opentelemetry,url=http://127.0.0.1:{receiver.http_port}/v1/traces",
        "--trace-config=opentelemetry,resource=service.name=triton",
        "--trace-config=opentelemetry,bsp_schedule_delay=200",
        "--trace-config=rate=1",
        "--trace-config=level=TIMESTAMPS",
    )
    triton = TritonProcess(repository, free_ports(3), load=(write_ensemble(repository, 1),), arguments=arguments)
    triton.start()
    log = repository.parent / "log"
    try:
        with contextlib.ExitStack() as running:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")  # ms until a batch is sent, five seconds as it comes
                endpoint = f"127.0.0.1:{receiver.grpc_port}"
                gateway = running.enter_context(running_gateway(triton.grpc_url, log, otlp_endpoint=endpoint))
            yield gateway
    finally:
        triton.stop()


def ask(gateway: GatewayProcess, trace_id: str, body: bytes, sampled: bool = True) -> httpx2.Response:
    headers = {"traceparent": f"00-{trace_id}-{PARENT}-{'01' if sampled else '00'}"}
    return httpx2.post(f"{gateway.url}/v1/predict", content=body, headers=headers, timeout=10)


def by_name(spans: list[ReceivedSpan], service: str) -> dict[str, ReceivedSpan]:
    return {span.name: span for span in spans if span.service == service}


def has_spans(receiver: Receiver, trace_id: str, service: str, count: int, seconds: float) -> bool:
    """Whether `count` spans of a service arrive in time."""
    deadline = time.monotonic() + seconds
    while len(by_name(receiver.of_trace(trace_id), service)) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return len(by_name(receiver.of_trace(trace_id), service)) >= count


def test_one_trace_shows_the_caller_the_gateway_and_triton(traced: GatewayProcess, receiver: Receiver) -> None:
    for trace_id in TRACES:
        reply = ask(traced, trace_id, photo())
        assert reply.status_code == 200
        assert has_spans(receiver, trace_id, "leaf-gateway", 5, 15)
        if has_spans(receiver, trace_id, "triton", 3, 10):  # Triton sends a batch once: one that fails is lost
            break
    ours = by_name(receiver.of_trace(trace_id), "leaf-gateway")
    server = ours["POST /v1/predict"]
    assert server.parent_id == PARENT
    assert server.attributes["http.route"] == "/v1/predict"
    assert server.attributes["http.response.status_code"] == 200
    assert server.attributes["leaf.request_id"] == reply.json()["request_id"]
    assert not server.failed
    assert set(ours) == {"POST /v1/predict", "check", "queue", "infer", "respond"}
    for name in ("check", "queue", "infer", "respond"):
        assert ours[name].parent_id == server.span_id
        assert server.started_ns <= ours[name].started_ns <= ours[name].ended_ns <= server.ended_ns
    assert ours["queue"].ended_ns <= ours["infer"].started_ns <= ours["infer"].ended_ns <= ours["respond"].started_ns

    theirs = by_name(receiver.of_trace(trace_id), "triton")
    assert theirs["InferRequest"].parent_id == ours["infer"].span_id
    assert {"leaf_ensemble_1", "preprocess"} <= set(theirs)


def test_failures_are_marked(traced: GatewayProcess, receiver: Receiver) -> None:
    failed, refused = "1" * 32, "2" * 32
    assert ask(traced, failed, photo("refuse=internal")).status_code == 502
    assert ask(traced, refused, b"no image").status_code == 415

    def servers() -> list[ReceivedSpan]:
        spans = receiver.of_trace(failed) + receiver.of_trace(refused)
        return [span for span in spans if span.parent_id == PARENT]

    wait_until(lambda: len(servers()) == 2, 15, "both server spans")
    assert {(s.attributes["http.response.status_code"], s.failed) for s in servers()} == {(502, True), (415, False)}


def test_the_caller_may_keep_a_request_out(traced: GatewayProcess, receiver: Receiver) -> None:
    unwanted, wanted = "3" * 32, "4" * 32
    assert ask(traced, unwanted, photo(), sampled=False).status_code == 200
    assert ask(traced, wanted, photo()).status_code == 200
    wait_until(lambda: len(by_name(receiver.of_trace(wanted), "leaf-gateway")) == 5, 15, "the wanted trace")
    assert not by_name(receiver.of_trace(unwanted), "leaf-gateway")  # Triton goes by its own rate all the same


def test_callers_cannot_have_more_traced_than_the_share(
    null_triton: TritonProcess, receiver: Receiver, tmp_path: Path
) -> None:
    lowest = "0" * 31 + "1"  # of all ids the likeliest, where they decide
    settings = {"otlp_endpoint": f"127.0.0.1:{receiver.grpc_port}", "trace_share": 1e-6}
    with running_gateway(null_triton.grpc_url, tmp_path / "log", **settings) as gateway:
        for trace_id in (lowest, "7" * 32):
            assert ask(gateway, trace_id, photo()).status_code == 200
        gateway.process.terminate()
        assert gateway.process.wait(20) == 0
    for trace_id in (lowest, "7" * 32):
        assert not by_name(receiver.of_trace(trace_id), "leaf-gateway")


def test_nothing_secret_or_personal_is_sent(traced: GatewayProcess, receiver: Receiver) -> None:
    trace_id = "5" * 32
    httpx2.post(
        f"{traced.url}/v1/predict?q=jane-in-the-query",
        files={"file": ("jane_on_her_field.jpg", photo())},
        headers={
            "traceparent": f"00-{trace_id}-{PARENT}-01",
            "Authorization": "Bearer secret-token-of-jane",
            "X-End-User": "farmer-jane",
        },
    )
    wait_until(lambda: bool(by_name(receiver.of_trace(trace_id), "leaf-gateway")), 15, "the trace")
    sent = b"".join(receiver.bodies)
    for secret in (b"jane", b"secret-token", b"127.0.0.1:"):
        assert secret not in sent


@pytest.mark.parametrize("workers", [1, 2])
def test_a_receiver_that_is_gone_changes_nothing(null_triton: TritonProcess, tmp_path: Path, workers: int) -> None:
    (nobody,) = free_ports(1)
    settings = {"otlp_endpoint": f"127.0.0.1:{nobody}", "workers": workers}
    with running_gateway(null_triton.grpc_url, tmp_path / "log", **settings) as gateway:
        for _ in range(5):
            started = time.monotonic()
            assert httpx2.post(f"{gateway.url}/v1/predict", content=photo()).status_code == 200
            assert time.monotonic() - started < 3
        started = time.monotonic()
        gateway.process.terminate()
        assert gateway.process.wait(30) == 0
        assert time.monotonic() - started < 10


def test_spans_that_wait_are_sent_at_the_end(null_triton: TritonProcess, receiver: Receiver, tmp_path: Path) -> None:
    trace_id = "6" * 32
    settings = {"otlp_endpoint": f"http://127.0.0.1:{receiver.grpc_port}"}
    with running_gateway(null_triton.grpc_url, tmp_path / "log", **settings) as gateway:
        assert ask(gateway, trace_id, photo()).status_code == 200
        gateway.process.terminate()
        assert gateway.process.wait(20) == 0
    assert "POST /v1/predict" in by_name(receiver.of_trace(trace_id), "leaf-gateway")


def test_off_means_off() -> None:
    traces = Traces()
    with traces.request("GET", {}) as span, traces.stage("check"):
        traces.waited("queue", time.time_ns(), 0.1)
        assert span is None
        assert traces.headers() == {}
