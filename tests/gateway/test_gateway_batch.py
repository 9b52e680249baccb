"""Several photos in one request, each for itself."""

import socket
import threading
import time
from pathlib import Path

import httpx2
import pytest
from null_repository import LIMITS
from photos import encode, photo, picture
from processes import GatewayProcess, TritonProcess, running_gateway, wait_until
from several import parts, post, problem, recorded

from gateway.access import key_store
from gateway.access.caller import Scope
from gateway.database import database_url, open_database, upgrade
from gateway.settings import Settings

PATH = "/v1/predict:batch"
MEBIBYTE = 2**20


def test_each_photo_has_its_own_prediction_or_problem(client: httpx2.Client) -> None:
    reply = post(client, PATH, [photo(), ("b.txt", b"no image"), photo("probabilities=0.05,0.3,0.6,0.025,0.025"), b""])
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert list(body) == ["results", "batch_id", "request_id"]
    first, text, third, empty = body["results"]
    assert [item["index"] for item in body["results"]] == [0, 1, 2, 3]
    assert [item["file_name"] for item in body["results"]] == ["a0.jpg", "b.txt", "a2.jpg", "a3.jpg"]
    assert (first["prediction"]["decision"], third["prediction"]["decision"]) == ("accepted", "uncertain")
    assert "problem" not in first and "prediction" not in text
    assert text["problem"]["type"] == "/problems/unsupported-format"
    assert list(text["problem"]) == ["type", "title", "status", "detail", "instance", "request_id"]
    assert (text["problem"]["instance"], text["problem"]["request_id"]) == (PATH, reply.headers["X-Request-ID"])
    assert empty["problem"]["type"] == "/problems/malformed-upload"
    assert first["prediction"]["prediction_id"] != third["prediction"]["prediction_id"]


def test_a_prediction_has_the_same_keys_as_alone(client: httpx2.Client) -> None:
    alone = client.post("/v1/predict", content=photo()).json()
    (item,) = post(client, PATH, [photo()]).json()["results"]
    assert list(item["prediction"]) == list(alone)
    timings = item["prediction"]["timings_ms"]
    assert timings["total"] == pytest.approx(sum(list(timings.values())[:-1]), abs=0.01)


def test_names_follow_the_language(client: httpx2.Client) -> None:
    reply = post(client, PATH, [photo()], **{"Accept-Language": "sw"})
    assert (reply.headers["Content-Language"], reply.headers["Vary"]) == ("sw", "Accept-Language")
    assert reply.json()["results"][0]["prediction"]["class_name"] == "Baka Bakteria ya Muhogo"


def test_parts_may_be_named_files_and_others_are_not_read(client: httpx2.Client) -> None:
    form = [("files", ("a.jpg", photo())), ("file", ("b.jpg", photo())), ("note", ("c.jpg", photo()))]
    results = client.post(PATH, files=form).json()["results"]
    assert [item["file_name"] for item in results] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (r"C:\photos\leaf.jpg", "leaf.jpg"),
        ("../../etc/passwd", "passwd"),
        ("jani la muhogo é.jpg", "jani la muhogo é.jpg"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("n" * 400, "n" * 255),
    ],
)
def test_file_names_lose_their_path_and_what_cannot_be_shown(client: httpx2.Client, sent: str, kept: str) -> None:
    body = b'--B\r\nContent-Disposition: form-data; name="file"; filename="' + sent.encode() + b'"\r\n\r\n' + photo()
    reply = client.post(
        PATH, content=body + b"\r\n--B--\r\n", headers={"Content-Type": "multipart/form-data; boundary=B"}
    )
    (item,) = reply.json()["results"]
    assert item["file_name"] == kept
    assert recorded(client, item["prediction"]["prediction_id"])["file_name"] == kept


def test_sixteen_photos_pass_and_seventeen_do_not(client: httpx2.Client) -> None:
    assert len(post(client, PATH, [photo()] * 16).json()["results"]) == 16
    assert "16" in problem(post(client, PATH, [photo()] * 17), 422, "too-many-photos")["detail"]


def test_a_form_without_photos_is_refused(client: httpx2.Client) -> None:
    problem(client.post(PATH, files={"other": photo()}), 400, "malformed-upload")


def test_each_photo_has_its_cap(client: httpx2.Client) -> None:
    reply = post(client, PATH, [photo(), photo() + bytes(LIMITS["max_bytes"])])
    good, large = reply.json()["results"]
    assert "prediction" in good
    assert large["problem"]["type"] == "/problems/upload-too-large"


def test_all_photos_together_have_a_cap(client: httpx2.Client, gateway: GatewayProcess) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=2) as connection:
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\n"
        connection.sendall(f"{head}Content-Length: {40 * MEBIBYTE}\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")
    before = gateway.reset_peak()
    chunks = (bytes(MEBIBYTE) for _ in range(100))
    reply = client.post(PATH, content=chunks, headers={"Content-Type": "multipart/form-data; boundary=B"})
    problem(reply, 413, "upload-too-large")
    assert gateway.peak_bytes - before < 100 * MEBIBYTE


def test_every_answered_photo_is_recorded(client: httpx2.Client) -> None:
    body = post(client, PATH, [photo(), b"no image", ("leaf.jpg", encode(picture(400, 300)))]).json()
    first, _, third = body["results"]
    entry = recorded(client, third["prediction"]["prediction_id"])
    assert (entry["kind"], entry["group_id"], entry["file_name"]) == ("batch", body["batch_id"], "leaf.jpg")
    assert (entry["width"], entry["height"]) == (400, 300)
    assert entry["timings_ms"]["total"] == third["prediction"]["timings_ms"]["total"]
    assert recorded(client, first["prediction"]["prediction_id"])["group_id"] == body["batch_id"]


def test_a_batch_does_not_starve_single_photos(null_triton: TritonProcess, tmp_path: Path) -> None:
    """With room for one photo of a group at a time, a single photo is answered between those of the batch."""
    with (
        running_gateway(null_triton.grpc_url, tmp_path / "log", group_in_flight=1) as gateway,
        httpx2.Client(base_url=gateway.url, timeout=20) as client,
    ):
        answered = threading.Event()

        def batch() -> None:
            assert post(client, PATH, [photo("sleep=0.2")] * 10).status_code == 200
            answered.set()

        thread = threading.Thread(target=batch)
        thread.start()
        time.sleep(0.3)
        timings = client.post("/v1/predict", content=photo()).json()["timings_ms"]
        assert not answered.is_set()
        assert timings["total"] < 700  # not after the ten, which take two seconds
        thread.join()
        assert answered.is_set()


def test_groups_leave_half_of_the_room(null_triton: TritonProcess, tmp_path: Path) -> None:
    limits = {"max_in_flight": 4, "group_in_flight": 2}
    with (
        running_gateway(null_triton.grpc_url, tmp_path / "log", **limits) as gateway,
        httpx2.Client(base_url=gateway.url, timeout=20) as client,
    ):
        thread = threading.Thread(target=lambda: post(client, PATH, [photo("sleep=0.5")] * 4))
        thread.start()
        time.sleep(0.3)
        refused = post(client, PATH, [photo()])
        assert problem(refused, 503, "overloaded")
        assert refused.headers["Retry-After"] == "1"
        assert client.post("/v1/predict", content=photo()).status_code == 200
        thread.join()
        assert post(client, PATH, [photo()]).status_code == 200


def test_photos_that_come_too_late_have_a_problem(null_triton: TritonProcess, tmp_path: Path) -> None:
    limits = {"queue_timeout_s": 0.8, "infer_timeout_s": 0.9, "request_deadline_s": 1, "group_deadline_s": 1.5}
    with running_gateway(null_triton.grpc_url, tmp_path / "log", group_in_flight=1, **limits) as gateway:
        started = time.monotonic()
        reply = httpx2.post(gateway.url + PATH, files=parts([photo("sleep=0.5")] * 6), timeout=10)
        assert time.monotonic() - started < 1.7
        results = reply.json()["results"]
        assert "prediction" in results[0]
        assert results[-1]["problem"]["type"] == "/problems/deadline-exceeded"
    time.sleep(0.6)  # the null model sleeps on; the next test shall not queue behind it


def test_a_service_that_fails_every_photo_fails_the_request(client: httpx2.Client) -> None:
    problem(post(client, PATH, [photo("refuse=internal")] * 2), 502, "inference-failed")
    mixed = post(client, PATH, [photo("refuse=internal"), b"no image"])
    assert [item["problem"]["status"] for item in mixed.json()["results"]] == [502, 415]


def test_a_bad_image_fails_alone(client: httpx2.Client) -> None:
    reply = post(client, PATH, [photo(), photo("refuse=invalid"), photo()])
    assert ["prediction" in item for item in reply.json()["results"]] == [True, False, True]


@pytest.mark.parametrize("path", [PATH, "/v1/diagnoses"])
def test_a_client_that_leaves_stops_the_work(null_triton: TritonProcess, tmp_path: Path, path: str) -> None:
    with running_gateway(null_triton.grpc_url, tmp_path / "log", group_in_flight=1) as gateway:
        request = httpx2.Request("POST", gateway.url + path, files=parts([photo("sleep=0.4")] * 10))
        body = request.read()
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=2) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {request.headers['Content-Type']}\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            time.sleep(0.5)
        wait_until(lambda: '"status": 499' in gateway.log.read_text(), 2, "status 499")
        started = time.monotonic()
        assert httpx2.post(f"{gateway.url}/v1/predict", content=photo()).status_code == 200
        assert time.monotonic() - started < 1.5  # nothing of the ten is queued before it


def test_each_photo_counts_towards_the_share(null_triton: TritonProcess, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    engine = open_database(database_url(settings))
    upgrade(engine)
    key = key_store.create_key(engine, "test", (Scope.PREDICT,))
    engine.dispose()
    access = {"data_dir": tmp_path, "auth": "required", "rate_limit": "8/minute"}
    with (
        running_gateway(null_triton.grpc_url, tmp_path / "log", **access) as gateway,
        httpx2.Client(base_url=gateway.url, timeout=10, headers={"X-API-Key": key}) as client,
    ):
        never = post(client, PATH, [photo()] * 9)
        assert "9 photos at once never pass" in problem(never, 429, "rate-limited")["detail"]
        first = post(client, PATH, [photo(), b"no image", photo()])
        assert (first.status_code, first.headers["RateLimit"][:13]) == (200, '"photos";r=4;')
        refused = post(client, PATH, [photo()] * 6)
        problem(refused, 429, "rate-limited")
        assert int(refused.headers["Retry-After"]) > 0
        # of what was refused one photo is counted, since it was before the others were known
        assert post(client, "/v1/diagnoses", [photo()] * 3).status_code == 200
        problem(client.post("/v1/predict", content=photo()), 429, "rate-limited")
        problem(httpx2.post(gateway.url + PATH, files=parts([photo()])), 401, "unauthenticated")
