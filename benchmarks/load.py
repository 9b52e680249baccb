"""A closed-loop load generator: each client sends its next photo when the last answer has come."""

import http.client
import itertools
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 120


@dataclass(frozen=True)
class Measurement:
    """What one system did in one round."""

    photos_per_second: float
    p50_ms: float
    p95_ms: float
    failures: int


@dataclass(frozen=True)
class Target:
    """Where photos go: a port of this machine, and the form field that a system without raw bodies wants."""

    port: int
    form_field: str | None = None

    def connect(self) -> http.client.HTTPConnection:
        """A connection of its own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)

    def body(self, photo: bytes) -> tuple[bytes, str]:
        """The request's body and its Content-Type."""
        if self.form_field is None:
            return photo, "application/octet-stream"
        head = f'--leaf\r\nContent-Disposition: form-data; name="{self.form_field}"; filename="leaf.jpg"\r\n'
        form = f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + photo + b"\r\n--leaf--\r\n"
        return form, "multipart/form-data; boundary=leaf"


@contextmanager
def connected(port: int) -> Iterator[Callable[[bytes], dict[str, Any]]]:
    """Asks `/v1/predict` on one connection; raises RuntimeError unless the answer is 200."""
    target = Target(port)
    connection = target.connect()
    try:
        yield lambda photo: _exchange(connection, *target.body(photo))
    finally:
        connection.close()


def ask(port: int, photo: bytes) -> dict[str, Any]:
    """One photo to `/v1/predict` on this machine; raises RuntimeError unless the answer is 200."""
    with connected(port) as asked:
        return asked(photo)


def _exchange(connection: http.client.HTTPConnection, body: bytes, content_type: str) -> dict[str, Any]:
    connection.request("POST", "/v1/predict", body, {"Content-Type": content_type})
    response = connection.getresponse()
    content = response.read()
    if response.status != http.client.OK:
        raise RuntimeError(f"answered {response.status}: {content[:200]!r}")
    reply: dict[str, Any] = json.loads(content)
    return reply


def closed_loop(target: Target, photos: Sequence[bytes], clients: int, seconds: float) -> Measurement:
    """Run `clients` for `seconds`; the rate counts the answers between the first and the last one."""
    bodies = [target.body(photo) for photo in photos]
    finished: list[tuple[float, float]] = []
    failures = itertools.count()
    order = itertools.count()
    end = time.perf_counter() + seconds

    def client() -> None:
        connection = target.connect()
        while (start := time.perf_counter()) < end:
            try:
                _exchange(connection, *bodies[next(order) % len(bodies)])
                finished.append((time.perf_counter(), time.perf_counter() - start))
            except (OSError, RuntimeError, http.client.HTTPException):
                next(failures)
                connection.close()
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    inside = sorted(done for done, _ in finished if done <= end)
    latencies = sorted(1000 * latency for _, latency in finished) or [float("nan")]
    rate = (len(inside) - 1) / (inside[-1] - inside[0]) if len(inside) > 1 else 0.0
    return Measurement(rate, statistics.median(latencies), latencies[int(0.95 * (len(latencies) - 1))], next(failures))
