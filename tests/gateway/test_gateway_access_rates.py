"""Rate limits over HTTP and, with a real Redis, across processes."""

import asyncio
import random
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from access_app import AccessServer, access_server
from processes import free_ports, wait_until
from structlog.testing import capture_logs

from gateway.access.caller import Scope
from gateway.access.rates import Policy, RateLimits
from gateway.access.window_memory import WindowMemory
from gateway.errors import InvalidAccessSettingsError
from gateway.settings import Settings

RATE_LIMIT = re.compile(r'"photos";r=(\d+)(?:;t=(\d+))?')


def _ask(server: AccessServer, key: str, cost: int = 1, **headers: str) -> httpx2.Response:
    with server.client(X_API_Key=key, **headers) as client:
        return client.post("/predict", params={"cost": cost})


def _remaining(answer: httpx2.Response) -> int:
    match = RATE_LIMIT.fullmatch(answer.headers["ratelimit"])
    assert match, answer.headers["ratelimit"]
    return int(match[1])


def test_each_answer_says_where_the_caller_stands(tmp_path: Path) -> None:
    with access_server(tmp_path, rate_limit="5/minute") as server:
        key = server.make_key()
        answers = [_ask(server, key) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert [_remaining(answer) for answer in answers] == [4, 3, 2, 1, 0, 0]
        assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"photos";q=5;w=60'}
        refused = answers[-1]
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["type"] == "/problems/rate-limited"
        assert 0 < int(refused.headers["retry-after"]) <= 120
        assert refused.headers["ratelimit"] == f'"photos";r=0;t={refused.headers["retry-after"]}'
        assert refused.headers["retry-after"] in refused.json()["detail"]
        assert _ask(server, server.make_key()).status_code == 200


def test_a_batch_costs_its_photos_and_what_is_refused_costs_nothing(tmp_path: Path) -> None:
    with access_server(tmp_path, rate_limit="20/minute") as server:
        key = server.make_key()
        assert _remaining(_ask(server, key, cost=16)) == 4
        refused = _ask(server, key, cost=16)
        assert (refused.status_code, _remaining(refused)) == (429, 4)
        assert _remaining(_ask(server, key, cost=4)) == 0
        never = _ask(server, key, cost=21)
        assert never.status_code == 429
        assert "fewer" in never.json()["detail"]


def test_photos_counted_before_are_part_of_the_same_request() -> None:
    async def stand() -> tuple[int, int]:
        clock = [1000.0]
        limits, policy = RateLimits(memory=WindowMemory(clock=lambda: clock[0])), Policy.of("photos", "5/minute")
        await limits.take(policy, "someone", 3)
        refused = await limits.take(policy, "someone", 3, again=4)
        assert not refused.allowed
        clock[0] += refused.retry_after_s - 1
        too_early = await limits.take(policy, "someone", 4)
        clock[0] += 1
        return too_early.allowed, (await limits.take(policy, "someone", 4)).allowed

    assert asyncio.run(stand()) == (False, True)


def test_what_is_no_photo_is_limited_by_itself(tmp_path: Path) -> None:
    with access_server(tmp_path, request_rate_limit="3/minute") as server:
        key = server.make_key(Scope.PREDICT, Scope.REVIEW)
        with server.client(X_API_Key=key) as client:
            answers = [client.get("/review") for _ in range(5)]
            assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
            assert answers[0].headers["ratelimit-policy"] == '"requests";q=3;w=60'
            assert answers[-1].json()["detail"].startswith("3 requests in 60 s are your share.")
            assert answers[-1].headers["retry-after"] in answers[-1].json()["detail"]
            assert client.post("/predict").status_code == 200
        with server.client(X_API_Key=server.make_key(Scope.REVIEW)) as client:
            assert client.get("/review").status_code == 200


def test_every_end_user_has_a_share_of_its_own(tmp_path: Path) -> None:
    with access_server(tmp_path, rate_limit="2/minute") as server:
        bot = server.make_key(Scope.PREDICT, Scope.DELEGATE)
        for user in ("4711", "4712"):
            assert [_ask(server, bot, X_End_User=user).status_code for _ in range(3)] == [200, 200, 429]


def test_after_retry_after_the_same_request_passes(tmp_path: Path) -> None:
    with access_server(tmp_path, rate_limit="4/2 second") as server:
        key = server.make_key()
        for _ in range(2):
            while _ask(server, key).status_code == 200:
                pass
            refused = _ask(server, key, cost=2)
            wait_s = int(refused.headers["retry-after"])
            assert 1 <= wait_s <= 4
            time.sleep(wait_s)
            assert _ask(server, key, cost=2).status_code == 200


def test_retry_after_is_exact_to_the_second() -> None:
    async def compare(seed: int) -> int:
        random_ = random.Random(seed)
        clock = [random_.uniform(0, 1000)]
        limits = RateLimits(memory=WindowMemory(clock=lambda: clock[0]))
        policy = Policy.of("photos", random_.choice(("5/minute", "60/minute", "100/hour", "7/10 second")))
        compared = 0
        for _ in range(60):
            clock[0] += random_.expovariate(1 / (policy.window_s / policy.quota))
            cost = random_.randint(1, 4)
            standing = await limits.take(policy, "someone", cost)
            if not standing.allowed:
                now = clock[0]
                clock[0] = now + standing.retry_after_s - 1
                assert standing.retry_after_s == 1 or not (await limits.take(policy, "someone", cost)).allowed
                clock[0] = now + standing.retry_after_s
                assert (await limits.take(policy, "someone", cost)).allowed
                compared += 1
            elif standing.more_in_s is not None:
                now, more = clock[0], standing.remaining + 1
                clock[0] = now + standing.more_in_s - 1
                assert standing.more_in_s == 1 or not (await limits.take(policy, "someone", more)).allowed
                clock[0] = now
        return compared

    assert sum(asyncio.run(compare(seed)) for seed in range(30)) > 200


def test_over_a_long_time_no_more_than_the_rate_passes() -> None:
    async def passed() -> int:
        limits, policy = RateLimits(), Policy.of("photos", "20/1 second")
        count, end = 0, time.monotonic() + 4
        while time.monotonic() < end:
            count += (await limits.take(policy, "someone")).allowed
            await asyncio.sleep(0.001)
        return count

    assert 60 <= asyncio.run(passed()) <= 105


def test_invalid_credentials_are_limited_by_address_and_valid_ones_pass(tmp_path: Path) -> None:
    with access_server(tmp_path, auth_failure_limit="3/minute") as server:
        key = server.make_key()
        answers = [_ask(server, "leaf_wrong") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
        assert int(answers[-1].headers["retry-after"]) > 0
        assert _ask(server, key).status_code == 200
        with server.client() as client:
            assert client.post("/predict").status_code == 401  # nothing was guessed
        with server.client("127.0.0.2", X_API_Key="leaf_wrong") as client:
            assert client.post("/predict").status_code == 401


def test_memory_is_bounded_however_many_addresses_ask() -> None:
    async def fill() -> tuple[int, float]:
        memory = WindowMemory(max_counts=1000)
        started = time.perf_counter()
        for number in range(20_000):
            assert await memory.acquire_sliding_window_entry(f"address-{number}", 5, 60)
        return await memory.reset(), (time.perf_counter() - started) / 20_000

    count, seconds_each = asyncio.run(fill())
    assert count <= 1000
    assert seconds_each < 0.0005


def test_expired_counts_are_forgotten() -> None:
    async def count() -> int:
        clock = [1000.0]
        memory = WindowMemory(clock=lambda: clock[0])
        for number in range(50):
            await memory.acquire_sliding_window_entry(f"minute-{number}", 5, 60)
        await memory.acquire_sliding_window_entry("hour", 5, 3600)
        clock[0] += 300
        await memory.acquire_sliding_window_entry("new", 5, 60)
        assert await memory.get("hour") == 1
        return await memory.reset()

    assert asyncio.run(count()) == 2


class Redis:
    """A real redis-server that can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_ports(1)[0]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL)
        ping = ["redis-cli", "-p", str(self.port), "ping"]
        wait_until(
            lambda: subprocess.run(ping, capture_output=True, check=False).stdout == b"PONG\n", 10, "redis ready"
        )

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    server.start()
    yield server
    server.stop()


def test_gateways_share_limits_through_redis(tmp_path: Path, redis: Redis) -> None:
    settings = {"redis_url": redis.url, "rate_limit": "6/minute"}
    with access_server(tmp_path, **settings) as first, access_server(tmp_path, **settings) as second:
        key = first.make_key()
        wait_until(lambda: _ask(second, key).status_code == 200, 3, "key known")  # one photo of six
        asked = [_ask(server, key) for server in (first, second, first, second, first, second, first)]
        assert [answer.status_code for answer in asked] == [200] * 5 + [429] * 2
        assert [_remaining(answer) for answer in asked] == [4, 3, 2, 1, 0, 0, 0]
        assert 0 < int(asked[-1].headers["retry-after"]) <= 120


def test_retry_after_is_true_with_redis_too(tmp_path: Path, redis: Redis) -> None:
    with access_server(tmp_path, redis_url=redis.url, rate_limit="4/2 second") as server:
        key = server.make_key()
        while _ask(server, key).status_code == 200:
            pass
        time.sleep(int(_ask(server, key, cost=2).headers["retry-after"]))
        assert _ask(server, key, cost=2).status_code == 200


def test_requests_pass_while_redis_is_down_and_one_warning_is_written(tmp_path: Path, redis: Redis) -> None:
    settings = {"redis_url": redis.url, "rate_limit": "1000/minute"}
    with access_server(tmp_path, **settings) as server, capture_logs() as logs:
        key = server.make_key()
        assert _ask(server, key).status_code == 200
        redis.stop()
        with server.client(X_API_Key=key) as client:
            started = time.perf_counter()
            assert [client.post("/predict").status_code for _ in range(50)] == [200] * 50
            assert time.perf_counter() - started < 5
        time.sleep(2.1)
        assert _ask(server, key).status_code == 200
        redis.start()
        wait_until(lambda: _ask(server, key).status_code == 200 and "answers again" in str(logs), 10, "shared again")
    warnings = [line for line in logs if line["log_level"] == "warning"]
    assert [line["event"] for line in warnings] == ["redis does not answer; rate limits are counted by process"]
    assert key not in str(logs)


def test_a_redis_that_hangs_delays_little(tmp_path: Path, redis: Redis) -> None:
    assert redis._process is not None
    with access_server(tmp_path, redis_url=redis.url) as server:
        key = server.make_key()
        assert _ask(server, key).status_code == 200
        redis._process.send_signal(19)  # SIGSTOP
        try:
            with server.client(X_API_Key=key) as client:
                started = time.perf_counter()
                assert [client.post("/predict").status_code for _ in range(40)] == [200] * 40
                assert time.perf_counter() - started < 5  # 10 s and more, if each waited for Redis
        finally:
            redis._process.send_signal(18)


def test_limits_hold_by_process_while_redis_is_down(tmp_path: Path) -> None:
    with access_server(tmp_path, redis_url="redis://127.0.0.1:1/0", rate_limit="3/minute") as server:
        key = server.make_key()
        assert [_ask(server, key).status_code for _ in range(5)] == [200] * 3 + [429] * 2


def test_settings_of_limits_are_checked() -> None:
    for rate in ("", "often", "60", "60/fortnight", "-1/minute"):
        with pytest.raises(ValueError, match="rate_limit"):
            Settings(rate_limit=rate)
    with pytest.raises(InvalidAccessSettingsError, match="GATEWAY_REDIS_URL") as refused:
        RateLimits("http://user:hunter2@example.org")
    assert "hunter2" not in str(refused.value)


def test_pages_of_named_origins_may_call_and_read_the_headers(tmp_path: Path) -> None:
    with access_server(tmp_path, cors_origins="https://farm.example.org, https://b.example.org") as server:
        key = server.make_key()
        with server.client() as client:
            asked = {"Origin": "https://farm.example.org", "Access-Control-Request-Method": "POST"}
            asked["Access-Control-Request-Headers"] = "authorization, x-end-user, if-none-match"
            allowed = client.options("/predict", headers=asked)
            assert allowed.status_code == 200
            assert allowed.headers["access-control-allow-origin"] == "https://farm.example.org"
            assert "access-control-allow-credentials" not in allowed.headers
            asked["Origin"] = "https://evil.example.org"
            refused = client.options("/predict", headers={**asked, "X-Request-ID": "not well formed"})
            assert (refused.status_code, refused.json()["type"]) == (400, "/problems/origin-refused")
            assert "access-control-allow-origin" not in refused.headers
            assert re.fullmatch("[0-9a-f]{32}", refused.headers["x-request-id"])
            assert refused.json()["request_id"] == refused.headers["x-request-id"]
            answer = client.post("/predict", headers={"Origin": "https://b.example.org", "X-API-Key": key})
            assert answer.headers["access-control-allow-origin"] == "https://b.example.org"
            exposed = answer.headers["access-control-expose-headers"].split(", ")
            assert {"ETag", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"} <= set(exposed)
            for path, status in (("/defect", 500), ("/predict?key=x", 400)):  # answered by the outer middleware
                answer = client.get(path, headers={"Origin": "https://b.example.org"})
                assert answer.status_code == status
                assert answer.headers["access-control-allow-origin"] == "https://b.example.org"
            answer = client.post("/predict", headers={"Origin": "https://evil.example.org", "X-API-Key": key})
            assert "access-control-allow-origin" not in answer.headers
