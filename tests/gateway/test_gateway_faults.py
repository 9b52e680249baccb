"""Triton killed or wedged under load: what callers see meanwhile, and how soon all is well again."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from null_repository import write_ensemble, write_null_model
from photos import photo
from processes import GatewayProcess, TritonProcess, free_ports, running_gateway, wait_until

DEADLINE_S = 4.8
"""`request_deadline_s` as it comes."""
SLACK_S = 1.0
"""For two busy cores between the gateway and the clock of the test."""


@dataclass
class Seen:
    """One request as its caller saw it; times of time.monotonic()."""

    started: float
    ended: float
    status: int
    retry_after: str | None


@dataclass
class Load:
    """What all clients saw."""

    seen: list[Seen] = field(default_factory=list)

    def successes_after(self, moment: float) -> list[float]:
        """When successful requests ended that began after `moment`."""
        return sorted(seen.ended for seen in self.seen if seen.status == 200 and seen.started > moment)


@contextlib.asynccontextmanager
async def load(url: str, clients: int = 6) -> AsyncIterator[Load]:
    """Some clients, each sending about twenty photos a second."""
    body, found, stop = photo(), Load(), asyncio.Event()

    async def client() -> None:
        async with httpx2.AsyncClient(timeout=20) as http:
            while not stop.is_set():
                started = time.monotonic()
                reply = await http.post(f"{url}/v1/predict", content=body)
                found.seen.append(Seen(started, time.monotonic(), reply.status_code, reply.headers.get("Retry-After")))
                await asyncio.sleep(0.05)

    tasks = [asyncio.create_task(client()) for _ in range(clients)]
    try:
        yield found
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait in a thread; returns when it became true."""
    await asyncio.to_thread(wait_until, condition, seconds, what)
    return time.monotonic()


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonProcess]:
    """A Triton that may be killed; whoever does so starts it again."""
    repository = tmp_path_factory.mktemp("repository")
    write_null_model(repository)
    process = TritonProcess(repository, free_ports(3), load=(write_ensemble(repository, 1),))
    process.start()
    yield process
    process.stop()


def tritonserver(triton: TritonProcess) -> int:
    """Process id of the server itself."""
    (pid,) = [pid for pid in triton.pids() if Path(f"/proc/{pid}/comm").read_text().startswith("tritonserver")]
    return pid


def require_plain_refusals(seen: list[Seen], statuses: set[int]) -> None:
    """Nothing but success and refusals that say when to come again, each in time."""
    assert {s.status for s in seen} <= {200, *statuses}
    for answer in seen:
        assert answer.ended - answer.started < DEADLINE_S + SLACK_S
        if answer.status != 200:
            assert int(answer.retry_after or 0) > 0


def require_ready(gateway: GatewayProcess) -> None:
    assert gateway.is_ready()


@pytest.mark.parametrize("workers", [1, 2])
def test_triton_killed_under_load(triton: TritonProcess, tmp_path: Path, workers: int) -> None:
    with running_gateway(triton.grpc_url, tmp_path / "log", workers=workers) as gateway:

        async def kill_and_restart() -> tuple[Load, float, float, float]:
            async with load(gateway.url) as found:
                await until(lambda: bool(found.successes_after(0)), 10, "the first answer")
                os.kill(tritonserver(triton), signal.SIGKILL)
                killed = time.monotonic()
                await until(lambda: not gateway.is_ready(), 3, "readiness turned")
                assert triton.process is not None
                await asyncio.to_thread(triton.process.wait, 20)
                await asyncio.sleep(1)
                triton.process = None
                await asyncio.to_thread(triton.start)
                again = time.monotonic()
                await until(lambda: any(s > again for s in found.successes_after(killed)), 10, "an answer again")
                ready = await until(gateway.is_ready, 5, "readiness turned back")
                await asyncio.sleep(1)
            return found, killed, again, ready

        found, killed, again, ready = asyncio.run(kill_and_restart())
        assert found.successes_after(0)[0] < killed
        require_plain_refusals(found.seen, {503})
        assert 503 in {s.status for s in found.seen}
        # Triton counts as ready when its own HTTP says so, which the test polls every 50 ms.
        assert min(s for s in found.successes_after(killed)) - again < 2
        assert ready - again < 4
        late = [s for s in found.seen if s.started > again + 3]
        assert {s.status for s in late} <= {200}


def test_triton_wedged_under_load(triton: TritonProcess, tmp_path: Path) -> None:
    with running_gateway(triton.grpc_url, tmp_path / "log") as gateway:
        server = tritonserver(triton)  # a frozen stub would make it crash instead

        async def wedge_and_release() -> tuple[Load, float, float]:
            async with load(gateway.url) as found:
                await asyncio.sleep(1)
                os.kill(server, signal.SIGSTOP)
                wedged = time.monotonic()
                try:
                    turned = await until(lambda: not gateway.is_ready(), 6, "readiness turned")
                    assert turned - wedged < 5
                    assert gateway.is_live()
                    await asyncio.sleep(6)
                    assert not gateway.is_ready()
                finally:
                    os.kill(server, signal.SIGCONT)
                released = time.monotonic()
                await until(lambda: any(s > released for s in found.successes_after(wedged)), 10, "an answer again")
                await until(gateway.is_ready, 5, "readiness turned back")
                await asyncio.sleep(1)
            return found, wedged, released

        found, wedged, released = asyncio.run(wedge_and_release())
        require_plain_refusals(found.seen, {503})
        stuck = [s for s in found.seen if wedged < s.started < s.ended < released]
        assert stuck
        assert 200 not in {s.status for s in stuck}
        refused_at_once = [s for s in stuck if s.started > wedged + DEADLINE_S]
        assert len(refused_at_once) > 10
        assert max(s.ended - s.started for s in refused_at_once) < SLACK_S
        assert found.successes_after(released)[0] - released < 5


def test_a_wedged_model_is_noticed_although_triton_says_ready(triton: TritonProcess, tmp_path: Path) -> None:
    """Only the model stands still: Triton's own readiness and its repository index answer as ever."""
    with running_gateway(triton.grpc_url, tmp_path / "log") as gateway:

        async def wedge() -> None:
            async with httpx2.AsyncClient(timeout=20) as http:
                began = time.monotonic()
                first = asyncio.create_task(http.post(f"{gateway.url}/v1/predict", content=photo("sleep=13")))
                await asyncio.sleep(0.3)
                others = [http.post(f"{gateway.url}/v1/predict", content=photo()) for _ in range(3)]
                for reply in await asyncio.gather(first, *others):
                    assert reply.status_code == 503
                    assert int(reply.headers["Retry-After"]) > 0
                assert time.monotonic() - began < DEADLINE_S + SLACK_S
                turned = await until(lambda: not gateway.is_ready(), 8, "readiness turned")
                assert turned - began < 11
                asked = time.monotonic()
                reply = await http.post(f"{gateway.url}/v1/predict", content=photo())
                assert (reply.status_code, reply.json()["type"]) == (503, "/problems/not-ready")
                assert int(reply.headers["Retry-After"]) > 0
                assert time.monotonic() - asked < SLACK_S  # it does not wait for what will not come
                assert triton.is_ready()

        asyncio.run(wedge())
        wait_until(gateway.is_ready, 15, "readiness turned back")


def test_one_slow_photo_does_not_make_the_gateway_unready(triton: TritonProcess, tmp_path: Path) -> None:
    settings = {"queue_timeout_s": 0.5, "infer_timeout_s": 1.5, "request_deadline_s": 3}
    with running_gateway(triton.grpc_url, tmp_path / "log", **settings) as gateway:
        reply = httpx2.post(f"{gateway.url}/v1/predict", content=photo("sleep=2"), timeout=20)
        assert reply.status_code == 503  # nobody else was answered meanwhile: it may have been Triton
        wait_until(gateway.is_ready, 5, "ready again once the probe was answered")
        for _ in range(10):
            require_ready(gateway)
            time.sleep(0.1)


def test_a_slow_photo_among_answered_ones_is_told_apart(triton: TritonProcess, tmp_path: Path) -> None:
    settings = {"queue_timeout_s": 0.9, "infer_timeout_s": 1, "request_deadline_s": 2}
    with running_gateway(triton.grpc_url, tmp_path / "log", **settings) as gateway:

        async def both() -> list[httpx2.Response]:
            async with httpx2.AsyncClient(timeout=20) as http:
                first = asyncio.create_task(http.post(f"{gateway.url}/v1/predict", content=photo("sleep=0.7")))
                await asyncio.sleep(0.1)  # or both would be one batch
                return [await http.post(f"{gateway.url}/v1/predict", content=photo("sleep=0.7")), await first]

        slow, quick = asyncio.run(both())
        assert quick.status_code == 200
        assert (slow.status_code, slow.json()["type"]) == (504, "/problems/deadline-exceeded")
