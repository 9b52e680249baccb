"""The Python client and the examples against the real gateway."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from photos import photo
from processes import ROOT, GatewayProcess, TritonProcess, free_ports, running_gateway

from client import GatewayClient, Refused, Unreachable


@pytest.fixture(scope="module")
def gateway(null_triton: TritonProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway on which callers without a key may also name end users."""
    with running_gateway(null_triton.grpc_url, tmp_path_factory.mktemp("open") / "log", auth="open") as process:
        yield process


def call(url: str, use: Callable[[GatewayClient], Awaitable[Any]], **options: Any) -> Any:
    """What `use` returns with a client of its own."""

    async def run() -> Any:
        async with GatewayClient(url, **options) as gateway:
            return await use(gateway)

    return asyncio.run(run())


def test_one_photo(gateway: GatewayProcess) -> None:
    reply = call(gateway.url, lambda c: c.predict(photo(), file_name="leaf.jpg", language="sw"))
    assert (reply["class_name"], reply["decision"]) == ("Baka Bakteria ya Muhogo", "accepted")


def test_several_photos(gateway: GatewayProcess) -> None:
    both = [("good.jpg", photo()), ("bad.jpg", b"no image")]
    batch = call(gateway.url, lambda c: c.predict_batch(both))
    assert batch["results"][0]["prediction"]["predicted_class_id"] == 0
    assert batch["results"][1]["problem"]["type"] == "/problems/unsupported-format"
    diagnosis = call(gateway.url, lambda c: c.diagnose(both))
    assert (diagnosis["photos_used"], diagnosis["class_name"]) == (1, "Cassava Bacterial Blight")


def test_feedback_with_its_photo_then_deletion(gateway: GatewayProcess) -> None:
    image = photo()

    async def talk(client: GatewayClient) -> dict[str, Any]:
        prediction_id = (await client.predict(image))["prediction_id"]
        await client.feedback(prediction_id, "correct")
        feedback = await client.feedback(prediction_id, "wrong", class_key="cmd", comment="two plants", photo=image)
        await client.delete(prediction_id)
        with pytest.raises(Refused, match="404"):
            await client.delete(prediction_id)
        return feedback

    feedback = call(gateway.url, talk)
    assert (feedback["verdict"], feedback["class_key"], feedback["status"]) == ("wrong", "cmd", "pending")


def test_an_end_user_is_forgotten(null_triton: TritonProcess, tmp_path: Path) -> None:
    async def talk(client: GatewayClient) -> list[int]:
        for _ in range(2):
            await client.predict(photo(), end_user="farmer 7")
        await client.predict(photo(), end_user="farmer 8")
        await client.predict(photo(), end_user="José Müller")
        return [await client.forget(end_user=name) for name in ("farmer 7", "farmer 7", "farmer 8", "José Müller")]

    with running_gateway(null_triton.grpc_url, tmp_path / "log", auth="open") as gateway:
        assert call(gateway.url, talk) == [2, 0, 1, 1]


def test_facts_of_the_release(gateway: GatewayProcess) -> None:
    assert call(gateway.url, lambda c: c.classes(language="sw"))["classes"][4]["name"] == "Zima"
    assert call(gateway.url, lambda c: c.release())["release"] == 1
    assert call(gateway.url, lambda c: c.ready())


def test_a_refusal_says_what_to_do(gateway: GatewayProcess) -> None:
    with pytest.raises(Refused) as caught:
        call(gateway.url, lambda c: c.predict(b"GIF89a", file_name="leaf.gif"))
    refusal = caught.value
    assert (refusal.status, refusal.type, refusal.retry_after_s) == (415, "/problems/unsupported-format", None)
    assert "Send JPEG" in refusal.detail
    assert refusal.request_id


def test_nobody_there() -> None:
    (port,) = free_ports(1)
    assert not call(f"http://127.0.0.1:{port}", lambda c: c.ready())
    with pytest.raises(Unreachable, match="cannot be reached"):
        call(f"http://127.0.0.1:{port}", lambda c: c.predict(b"x"), retries=0)


class Busy(BaseHTTPRequestHandler):
    """A server that is overloaded once and then answers, or never answers at all."""

    asked: list[str] = []  # noqa: RUF012 - one test at a time

    def do_GET(self) -> None:
        """The class list, the second time; no answer to whoever asks for the release."""
        self.asked.append(self.path)
        if self.path == "/v1/release":
            threading.Event().wait(2)
            return
        first = len(self.asked) == 1 and "captive" not in self.path
        content = b"<html>" if "captive" in self.path else b"{}"
        self.send_response(503 if first else 200)
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def busy() -> Any:
    """Its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    server.daemon_threads = True
    Busy.asked.clear()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_busy_server_is_asked_again(busy: str) -> None:
    assert call(busy, lambda c: c.classes()) == {}
    assert len(Busy.asked) == 2


def test_the_refused_do_not_come_back_as_one_wave(busy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr("client.client.asyncio.sleep", note)
    for _ in range(5):
        Busy.asked.clear()
        assert call(busy, lambda c: c.classes()) == {}
    waits = [seconds for seconds in waits if seconds]
    assert len(set(waits)) == 5
    assert 1 <= min(waits) <= max(waits) <= 1.5


def test_an_answer_of_somebody_else_is_no_answer(busy: str) -> None:
    with pytest.raises(Refused, match="not the gateway's"):
        call(f"{busy}/captive", lambda c: c.classes())


def test_a_silent_server_is_given_up_and_not_asked_again(busy: str) -> None:
    with pytest.raises(Unreachable, match="did not answer"):
        call(busy, lambda c: c.release(), timeout_s=0.3)
    assert len(Busy.asked) == 1


EXAMPLES = {
    "curl": [str(ROOT / "examples" / "predict.sh")],
    "python": [sys.executable, "-m", "examples.predict"],
    "node": ["node", str(ROOT / "examples" / "predict.mjs")],
}


@pytest.mark.parametrize("language", EXAMPLES)
def test_examples(language: str, gateway: GatewayProcess, tmp_path: Path) -> None:
    tool = {"curl": "curl", "node": "node"}.get(language)
    if tool and shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed here")
    (tmp_path / "leaf.jpg").write_bytes(photo())
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    environment = os.environ | {"GATEWAY_URL": gateway.url}

    def run(file: str) -> subprocess.CompletedProcess[str]:
        command = [*EXAMPLES[language], str(tmp_path / file)]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    good, bad = run("leaf.jpg"), run("bad.jpg")
    assert good.returncode == 0, good.stderr
    assert "Cassava Bacterial Blight" in good.stdout
    assert bad.returncode != 0
    assert "no image in a known format" in bad.stderr + bad.stdout or "None of the photos" in bad.stderr
