"""What happens when Triton refuses, is slow, is full, dies, or changes its releases."""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
import tritonclient.grpc as triton_grpc
from null_repository import EXPLAINED, MAPS, write_ensemble, write_null_model
from photos import many_scans_jpeg, photo
from processes import GatewayProcess, TritonProcess, free_ports, running_gateway, wait_until
from tritonclient.utils import InferenceServerException

from gateway import errors
from gateway.triton.client import as_problem


@pytest.fixture(scope="module")
def breakable_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonProcess]:
    """A Triton of this module's own; its queue holds few requests."""
    repository = tmp_path_factory.mktemp("breakable") / "repository"
    write_null_model(repository, max_queue_size=8)
    triton = TritonProcess(repository, free_ports(3), load=(write_ensemble(repository, 1),))
    triton.start()
    yield triton
    triton.stop()


@pytest.fixture
def own_triton(breakable_triton: TritonProcess) -> Iterator[TritonProcess]:
    """A Triton that the test may break; afterwards it runs again, with release 1 and no other."""
    yield breakable_triton
    if not breakable_triton.is_running():
        breakable_triton.restart()
    with triton_grpc.InferenceServerClient(breakable_triton.grpc_url) as control:
        for model in breakable_triton.repository.glob("leaf_ensemble_*"):
            if model.name != "leaf_ensemble_1":
                control.unload_model(model.name)
                shutil.rmtree(model)
        control.load_model("leaf_ensemble_1")


def post_many(url: str, image: bytes, count: int) -> list[httpx2.Response]:
    with httpx2.Client(timeout=20) as http, ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: http.post(f"{url}/v1/predict", content=image), range(count)))


def test_photo_that_only_shared_a_batch_with_a_bad_one_is_answered(client: httpx2.Client) -> None:
    assert client.post("/v1/predict", content=photo("refuse-once=token-1")).status_code == 200


def test_refusal_of_the_preprocessing_step_without_its_own_code(client: httpx2.Client) -> None:
    reply = client.post("/v1/predict", content=photo("refuse=unknown"))
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/undecodable-image")


def test_answer_that_is_not_a_number_is_not_passed_on(client: httpx2.Client) -> None:
    reply = client.post("/v1/predict", content=photo("nan=1"))
    assert (reply.status_code, reply.json()["type"]) == (502, "/problems/inference-failed")


@pytest.fixture(scope="module")
def impatient_gateway(null_triton: TritonProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway with short deadlines."""
    settings = {"queue_timeout_s": 0.1, "infer_timeout_s": 0.2, "request_deadline_s": 0.25}
    with running_gateway(null_triton.grpc_url, tmp_path_factory.mktemp("impatient") / "log", **settings) as gateway:
        yield gateway


@pytest.mark.parametrize(
    ("image", "answer"),
    [
        # Nobody else was answered meanwhile: what is slow may be Triton.
        pytest.param(lambda: photo("sleep=1"), (503, "/problems/triton-unavailable"), id="inference"),
        pytest.param(lambda: many_scans_jpeg(19, 8000, 8000), (504, "/problems/deadline-exceeded"), id="check"),
    ],
)
def test_slow_work_is_given_up(
    impatient_gateway: GatewayProcess, image: Callable[[], bytes], answer: tuple[int, str]
) -> None:
    data = image()
    wait_until(impatient_gateway.is_ready, 5, "ready")
    started = time.monotonic()
    reply = httpx2.post(f"{impatient_gateway.url}/v1/predict", content=data)
    assert (reply.status_code, reply.json()["type"]) == answer
    assert time.monotonic() - started < 1.5
    time.sleep(1)  # the work given up on still runs to its end


def test_requests_above_the_limit_are_refused_at_once(null_triton: TritonProcess, tmp_path: Path) -> None:
    with running_gateway(null_triton.grpc_url, tmp_path / "log", max_in_flight=1) as gateway:
        replies = post_many(gateway.url, photo("sleep=0.3"), 4)
        assert sorted(reply.status_code for reply in replies) == [200, 503, 503, 503]
        refused = next(reply for reply in replies if reply.status_code == 503)
        assert (refused.json()["type"], refused.headers["Retry-After"]) == ("/problems/overloaded", "1")


def test_full_queue_of_triton_is_answered_503(own_triton: TritonProcess, tmp_path: Path) -> None:
    with running_gateway(own_triton.grpc_url, tmp_path / "log") as gateway:
        replies = post_many(gateway.url, photo("sleep=0.05"), 40)
        assert {reply.status_code for reply in replies} == {200, 503}
        assert {r.json()["type"] for r in replies if r.status_code == 503} == {"/problems/overloaded"}
        assert post_many(gateway.url, photo(), 1)[0].status_code == 200


def test_triton_dies_and_comes_back(own_triton: TritonProcess, tmp_path: Path) -> None:
    settings = {"probe_interval_s": 0.4, "probe_max_age_s": 1.2}
    with running_gateway(own_triton.grpc_url, tmp_path / "log", **settings) as gateway:
        own_triton.stop()
        reply = httpx2.post(f"{gateway.url}/v1/predict", content=photo())
        assert reply.status_code == 503
        assert reply.json()["type"] in (
            "/problems/triton-unavailable",
            "/problems/not-ready",
        )  # by who noticed it first
        assert int(reply.headers["Retry-After"]) > 0
        wait_until(lambda: not gateway.is_ready(), 5, "not ready while Triton is down")
        assert gateway.is_live()
        own_triton.start()
        wait_until(gateway.is_ready, 10, "ready after Triton is back")
        assert httpx2.post(f"{gateway.url}/v1/predict", content=photo()).status_code == 200


def test_gateway_starts_before_triton(own_triton: TritonProcess, tmp_path: Path) -> None:
    own_triton.stop()
    with running_gateway(own_triton.grpc_url, tmp_path / "log", ready=False) as gateway:
        for reply in (
            httpx2.get(f"{gateway.url}/health/ready"),
            httpx2.post(f"{gateway.url}/v1/predict", content=photo()),
        ):
            assert (reply.status_code, reply.json()["type"]) == (503, "/problems/not-ready")
            assert int(reply.headers["Retry-After"]) > 0
        own_triton.start()
        wait_until(gateway.is_ready, 10, "ready after Triton has started")


def test_highest_ready_valid_release_answers(own_triton: TritonProcess, tmp_path: Path) -> None:
    def served() -> tuple[int, int]:
        ready = httpx2.get(f"{gateway.url}/health/ready").json().get("release")
        return ready, httpx2.post(f"{gateway.url}/v1/predict", content=photo()).json()["release"]

    repository = own_triton.repository
    control = triton_grpc.InferenceServerClient(own_triton.grpc_url)
    with running_gateway(own_triton.grpc_url, tmp_path / "log", poll_interval_s=0.2, probe_interval_s=0.4) as gateway:
        assert served() == (1, 1)
        control.load_model(write_ensemble(repository, 10))
        wait_until(lambda: served() == (10, 10), 5, "release 10 chosen")
        control.load_model(write_ensemble(repository, 9))
        control.load_model(write_ensemble(repository, 11, members="not a list"))
        control.load_model(write_ensemble(repository, 12, languages=["en", "xx"], classes=same_names()))
        wait_until(lambda: "leaf_ensemble_12" in gateway.log.read_text(), 5, "invalid releases seen")
        assert served() == (10, 10)
        control.unload_model("leaf_ensemble_10")
        assert httpx2.post(f"{gateway.url}/v1/predict", content=photo()).json()["release"] == 9
        control.unload_model("leaf_ensemble_9")
        control.unload_model("leaf_ensemble_1")
        wait_until(
            lambda: httpx2.post(f"{gateway.url}/v1/predict", content=photo()).json()["type"] == "/problems/not-ready",
            5,
            "no release left",
        )


def test_a_release_is_proved_before_it_takes_over(own_triton: TritonProcess, tmp_path: Path) -> None:
    control = triton_grpc.InferenceServerClient(own_triton.grpc_url)
    repository, seen = own_triton.repository, set()

    def served() -> int:
        """The release that answers; readiness is asked right after it was chosen and then for a while."""
        ready = httpx2.get(f"{gateway.url}/health/ready")
        seen.add(ready.status_code)
        return int(ready.json().get("release", 0))

    with running_gateway(own_triton.grpc_url, tmp_path / "log", poll_interval_s=0.1) as gateway:
        broken = EXPLAINED | {"outlier": {"output": MAPS[0]}}  # a promise that the model does not keep
        control.load_model(write_ensemble(repository, 2, **broken))
        wait_until(lambda: "does not answer its first probe" in gateway.log.read_text(), 5, "release 2 probed")
        for _ in range(20):
            assert served() == 1
            assert httpx2.post(f"{gateway.url}/v1/predict", content=photo()).json()["release"] == 1
        assert gateway.log.read_text().count("does not answer its first probe") == 1  # not at each look
        control.load_model(write_ensemble(repository, 3))
        wait_until(lambda: served() == 3, 5, "release 3 chosen")
        until = time.monotonic() + 1
        while time.monotonic() < until:
            assert served() == 3
    assert seen == {200}


def test_readiness_outlives_answers_of_the_release_before(own_triton: TritonProcess, tmp_path: Path) -> None:
    control = triton_grpc.InferenceServerClient(own_triton.grpc_url)
    with (
        running_gateway(own_triton.grpc_url, tmp_path / "log", poll_interval_s=0.1) as gateway,
        ThreadPoolExecutor() as pool,
    ):
        late = pool.submit(httpx2.post, f"{gateway.url}/v1/predict", content=photo("sleep=1"))
        time.sleep(0.2)
        control.load_model(write_ensemble(own_triton.repository, 2))
        wait_until(lambda: httpx2.get(f"{gateway.url}/health/ready").json()["release"] == 2, 5, "release 2 chosen")
        assert late.result().json()["release"] == 1
        assert gateway.is_ready()


def same_names() -> list[dict[str, object]]:
    return [{"key": str(number), "names": {"en": "Same"}} for number in range(5)]


def test_no_answer_fails_or_mixes_while_releases_come_and_go(own_triton: TritonProcess, tmp_path: Path) -> None:
    control = triton_grpc.InferenceServerClient(own_triton.grpc_url)
    name = write_ensemble(own_triton.repository, 2)
    with running_gateway(own_triton.grpc_url, tmp_path / "log", poll_interval_s=0.1) as gateway:

        async def ask(until: float) -> list[tuple[int, int | None]]:
            async with httpx2.AsyncClient(timeout=10) as http:
                seen = []
                while time.monotonic() < until:
                    reply = await http.post(f"{gateway.url}/v1/predict", content=photo())
                    seen.append((reply.status_code, reply.json().get("release")))
                return seen

        async def switch(until: float) -> None:
            while time.monotonic() < until:
                await asyncio.to_thread(control.load_model, name)
                await asyncio.sleep(0.3)
                await asyncio.to_thread(control.unload_model, name)
                await asyncio.sleep(0.3)

        async def both() -> list[list[tuple[int, int | None]]]:
            until = time.monotonic() + 4
            *answers, _ = await asyncio.gather(ask(until), ask(until), ask(until), switch(until))
            return answers

        seen = {answer for answers in asyncio.run(both()) for answer in answers}
        assert seen == {(200, 1), (200, 2)}


@pytest.mark.parametrize(
    ("status", "message", "problem"),
    [
        ("UNAVAILABLE", "Connection refused", errors.TritonUnavailable),
        ("CANCELLED", "shutting down", errors.TritonUnavailable),
        ("UNAVAILABLE", "Exceeds maximum queue size", errors.TritonQueueFull),
        ("UNAVAILABLE", "Request timeout expired", errors.TritonQueueFull),
        ("NOT_FOUND", "Request for unknown model: 'x' is not found", errors.ReleaseGone),
        ("UNAVAILABLE", "'x' has no available versions", errors.ReleaseGone),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", errors.DeadlineExceeded),
        ("INVALID_ARGUMENT", "in ensemble 'x', the image cannot be decoded", errors.UndecodableImage),
        ("INVALID_ARGUMENT", "unexpected inference output 'x' for model 'preprocess'", errors.InferenceFailed),
        ("INVALID_ARGUMENT", "unexpected shape for input 'encoded_image' for model 'x'", errors.InferenceFailed),
        ("INVALID_ARGUMENT", "cannot decode the image: JPEG marker not found", errors.UndecodableImage),
        ("UNKNOWN", "Critical error in pipeline: nvImageCodec failure: '#4'", errors.UndecodableImage),
        ("UNKNOWN", "something else", errors.InferenceFailed),
        ("INTERNAL", "in ensemble 'x', out of memory in preprocess", errors.InferenceFailed),
    ],
)
def test_meaning_of_errors_that_a_null_triton_cannot_all_produce(
    status: str, message: str, problem: type[errors.Problem]
) -> None:
    assert type(as_problem(InferenceServerException(message, f"StatusCode.{status}"))) is problem
