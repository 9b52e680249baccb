"""A closed-loop load generator: each client sends its next photo when the last answer has come."""

import http.client
import itertools
import json
import statistics
import threading
import time
from collections.abc import Sequence
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


def ask(port: int, photo: bytes) -> dict[str, Any]:
    """One photo to `/v1/predict` on this machine; raises RuntimeError unless the answer is 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        return _exchange(connection, photo)
    finally:
        connection.close()


def _exchange(connection: http.client.HTTPConnection, photo: bytes) -> dict[str, Any]:
    connection.request("POST", "/v1/predict", photo, {"Content-Type": "application/octet-stream"})
    response = connection.getresponse()
    content = response.read()
    if response.status != http.client.OK:
        raise RuntimeError(f"answered {response.status}: {content[:200]!r}")
    reply: dict[str, Any] = json.loads(content)
    return reply


def closed_loop(port: int, photos: Sequence[bytes], clients: int, seconds: float) -> Measurement:
    """Run `clients` for `seconds`; the rate counts the answers between the first and the last one."""
    finished: list[tuple[float, float]] = []
    failures = itertools.count()
    order = itertools.count()
    end = time.perf_counter() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        while (start := time.perf_counter()) < end:
            try:
                _exchange(connection, photos[next(order) % len(photos)])
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
