"""Feedback over HTTP: given by users, settled by experts, exported for training."""

import asyncio
import concurrent.futures
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from photos import encode, photo, picture, zero_png
from PIL import Image
from processes import wait_until
from record_entries import CLASS_KEYS, entry
from records_app import RecordServer, record_server
from sqlalchemy import Engine

from gateway.access.caller import Scope
from gateway.records.recorder import Recorder
from gateway.settings import Settings

pytest_plugins = ("database_fixtures",)

PREDICT, REVIEW = Scope.PREDICT, Scope.REVIEW


@pytest.fixture
def server(engine: Engine, tmp_path: Path) -> Iterator[RecordServer]:
    with record_server(engine, tmp_path / "state") as running:
        yield running


@pytest.fixture
def user(server: RecordServer) -> Iterator[httpx2.Client]:
    with server.client(PREDICT) as http:
        yield http


@pytest.fixture
def expert(server: RecordServer) -> Iterator[httpx2.Client]:
    with server.client(REVIEW) as http:
        yield http


def _predicted(server: RecordServer, **changes: Any) -> str:
    return server.put(entry(client=server.client_hash(PREDICT), **changes))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _said(reply: httpx2.Response, status: int = 201) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    body: dict[str, Any] = reply.json()
    return body


def _problem(reply: httpx2.Response, status: int, kind: str) -> str:
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json"), reply.text
    assert reply.json()["type"] == f"/problems/{kind}"
    detail: str = reply.json()["detail"]
    return detail


def test_right_after_the_answer(server: RecordServer, user: httpx2.Client) -> None:
    prediction_id = _predicted(server)
    fields = {"prediction_id": prediction_id, "verdict": "wrong", "class_key": "cbb", "comment": "Blätter\ngelb"}
    said = _said(user.post("/v1/feedback", json=fields))
    assert {key: said[key] for key in fields} == fields
    assert (said["status"], said["photo_kept"]) == ("pending", False)


def test_given_to_another_worker(server: RecordServer, user: httpx2.Client, engine: Engine, tmp_path: Path) -> None:
    other_worker = Recorder(Settings(data_dir=tmp_path / "state"), engine)
    answered = entry(client=server.client_hash(PREDICT))
    other_worker.put(answered)
    _said(user.post("/v1/feedback", json={"prediction_id": answered.prediction_id, "verdict": "correct"}))
    asyncio.run(other_worker.close())


def test_a_second_one_replaces_the_first_until_it_is_reviewed(
    server: RecordServer, user: httpx2.Client, expert: httpx2.Client
) -> None:
    about = {"prediction_id": _predicted(server)}
    first = _said(user.post("/v1/feedback", json={**about, "verdict": "wrong", "class_key": "cbb"}))
    second = _said(user.post("/v1/feedback", json={**about, "verdict": "unsure"}), 200)
    assert second["feedback_id"] == first["feedback_id"]
    assert (second["verdict"], second["class_key"]) == ("unsure", None)
    assert expert.get("/v1/feedback").json()["total"] == 1
    _said(expert.post(f"/v1/feedback/{first['feedback_id']}/review", json={"decision": "dismiss"}), 200)
    _problem(user.post("/v1/feedback", json={**about, "verdict": "correct"}), 409, "feedback-conflict")


def test_the_same_twice_at_once_is_one(server: RecordServer, expert: httpx2.Client) -> None:
    fields = {"prediction_id": _predicted(server), "verdict": "correct"}
    with concurrent.futures.ThreadPoolExecutor(8) as pool, server.client(PREDICT) as http:
        replies = list(pool.map(lambda _: http.post("/v1/feedback", json=fields).status_code, range(8)))
    assert sorted(replies)[0] == 200 and set(replies) <= {200, 201}
    assert expert.get("/v1/feedback").json()["total"] == 1


def test_somebody_elses_and_unknown_predictions(server: RecordServer, user: httpx2.Client) -> None:
    theirs = server.put(entry(client="d" * 32))
    for prediction_id in (theirs, "0" * 32):
        reply = user.post("/v1/feedback", json={"prediction_id": prediction_id, "verdict": "wrong"})
        _problem(reply, 404, "unknown-prediction")
    from_the_page = server.put(entry(caller_kind="page", client="d" * 32))
    _said(user.post("/v1/feedback", json={"prediction_id": from_the_page, "verdict": "correct"}))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"verdict": "maybe"}, "verdict"),
        ({"verdict": None}, "verdict"),
        ({"prediction_id": "12"}, "prediction_id"),
        ({"comment": "x" * 501}, "comment"),
        ({"class": "cbb"}, "class"),
        ({"keep_photo": True}, "multipart form"),
    ],
)
def test_bad_fields_are_named(user: httpx2.Client, changes: dict[str, object], told: str) -> None:
    reply = user.post("/v1/feedback", json={"prediction_id": "0" * 32, "verdict": "wrong", **changes})
    assert told in _problem(reply, 422, "invalid-request")


def test_an_unknown_class_names_the_known_ones(server: RecordServer, user: httpx2.Client) -> None:
    fields = {"prediction_id": _predicted(server), "verdict": "wrong", "class_key": "rust"}
    detail = _problem(user.post("/v1/feedback", json=fields), 422, "unknown-class")
    assert ", ".join(CLASS_KEYS) in detail


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[" * 10_000, "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"{}", "text/plain", 422),
        (b" " * 20_000, "application/json", 413),
        (b"--x\r\n", "multipart/form-data; boundary=x", 400),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 422),
        (b"x", "multipart/form-data", 400),
    ],
)
def test_malformed_bodies(user: httpx2.Client, content: bytes, content_type: str, status: int) -> None:
    reply = user.post("/v1/feedback", content=content, headers={"Content-Type": content_type})
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json"), reply.text


def test_the_photo_may_be_kept_after_all(server: RecordServer, user: httpx2.Client, expert: httpx2.Client) -> None:
    data = photo()
    prediction_id = _predicted(server, photo_sha256=_sha256(data))
    form = {"prediction_id": prediction_id, "verdict": "wrong", "class_key": "cbb", "keep_photo": "true"}
    other = user.post("/v1/feedback", data=form, files={"photo": ("leaf.jpg", encode(picture(64, 64)))})
    _problem(other, 422, "photo-mismatch")
    said = _said(user.post("/v1/feedback", data=form, files={"photo": ("leaf.jpg", data)}))
    assert said["photo_kept"]
    path = f"/v1/feedback/{said['feedback_id']}/photo"
    wait_until(lambda: expert.get(path).status_code == 200, 5, "photo kept")
    reply = expert.get(path)
    assert (reply.headers["content-type"], reply.headers["cache-control"]) == ("image/jpeg", "private, no-store")
    assert reply.content.startswith(b"\xff\xd8\xff")
    assert user.get(path).status_code == 403
    wait_until(lambda: user.get(f"/v1/predictions/{prediction_id}").json()["photo_kept"], 5, "row says so")
    again = {**form, "class_key": "cgm"}  # kept already: nobody needs to send it again
    assert _said(user.post("/v1/feedback", files={name: (None, value) for name, value in again.items()}), 200)


@pytest.mark.parametrize(
    ("name", "size", "kept"),
    [
        ("WEBP", (4000, 2600), False),
        ("PNG", (7000, 7000), False),
        ("WEBP", (3800, 2600), True),
        ("JPEG", (7000, 7000), True),
    ],
)
def test_a_photo_that_cannot_be_kept_is_not_said_to_be(
    server: RecordServer, user: httpx2.Client, name: str, size: tuple[int, int], kept: bool
) -> None:
    data = zero_png(*size) if name == "PNG" else encode(Image.new("L", size), name, quality=1)
    width, height = size
    prediction_id = _predicted(server, photo_sha256=_sha256(data), width=width, height=height)
    form = {"prediction_id": prediction_id, "verdict": "correct", "keep_photo": "true"}
    assert _said(user.post("/v1/feedback", data=form, files={"photo": data}))["photo_kept"] is kept
    assert server.recorder.photos_dropped == (not kept)
    asyncio.run(server.recorder.close())
    assert user.get(f"/v1/predictions/{prediction_id}").json()["photo_kept"] is kept


def test_no_photo_without_consent(server: RecordServer, user: httpx2.Client, tmp_path: Path) -> None:
    data = photo()
    fields = {"prediction_id": _predicted(server, photo_sha256=_sha256(data)), "verdict": "wrong", "comment": ""}
    parts = {name: (None, value) for name, value in fields.items()}
    said = _said(user.post("/v1/feedback", files={**parts, "photo": data}))
    assert (said["photo_kept"], said["comment"]) == (False, None)
    for refusal in ("false", "0"):
        reply = user.post("/v1/feedback", files={**parts, "photo": data, "keep_photo": (None, refusal)})
        assert _said(reply, 200)["photo_kept"] is False
    assert _said(user.post("/v1/feedback", files={**parts, "keep_photo": (None, "true")}), 200)["photo_kept"] is False
    assert list(tmp_path.rglob("*.jpg")) == []


def test_a_photo_that_is_too_large(server: RecordServer, user: httpx2.Client) -> None:
    fields = {"prediction_id": _predicted(server), "verdict": "wrong", "keep_photo": "true"}
    parts = {name: (None, value) for name, value in fields.items()}
    _problem(user.post("/v1/feedback", files={**parts, "photo": bytes(21 * 2**20)}), 413, "upload-too-large")


def test_no_photo_where_none_is_ever_kept(engine: Engine, tmp_path: Path) -> None:
    data = photo()
    with record_server(engine, tmp_path, keep_photos="never") as server, server.client(PREDICT) as http:
        prediction_id = server.put(entry(client=server.client_hash(PREDICT), photo=None, photo_sha256=_sha256(data)))
        form = {"prediction_id": prediction_id, "verdict": "wrong", "keep_photo": "true"}
        assert _said(http.post("/v1/feedback", data=form, files={"photo": data}))["photo_kept"] is False
    assert list(tmp_path.rglob("*.jpg")) == []


def test_only_experts_see_and_settle(server: RecordServer, user: httpx2.Client) -> None:
    said = _said(user.post("/v1/feedback", json={"prediction_id": _predicted(server), "verdict": "correct"}))
    path = f"/v1/feedback/{said['feedback_id']}"
    with server.client() as nobody:
        for http, status in ((user, 403), (nobody, 401)):
            assert http.get("/v1/feedback").status_code == status
            assert http.get(f"{path}/photo").status_code == status
            assert http.post(f"{path}/review", json={"decision": "dismiss"}).status_code == status


def test_pages(server: RecordServer, user: httpx2.Client, expert: httpx2.Client) -> None:
    given = [
        _said(user.post("/v1/feedback", json={"prediction_id": _predicted(server), "verdict": verdict}))["feedback_id"]
        for verdict in ("wrong", "correct", "wrong", "wrong", "unsure")
    ]
    seen: list[str] = []
    query: dict[str, Any] = {"status": "pending", "limit": 2}
    while True:
        page = _said(expert.get("/v1/feedback", params=query), 200)
        assert page["total"] == 5 and len(page["items"]) <= 2
        seen += [item["feedback_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == given
    item = page["items"][0]
    assert (item["predicted_class_key"], item["release"], item["task"]) == ("cmd", 1, "cassava")
    assert tuple(item["probabilities"]) == CLASS_KEYS and item["reviewed_at"] is None
    assert _said(expert.get("/v1/feedback", params={"verdict": "wrong"}), 200)["total"] == 3
    assert _said(expert.get("/v1/feedback", params={"status": "confirmed"}), 200)["items"] == []
    for wrong in ({"cursor": "x"}, {"limit": "0"}, {"limit": "1000"}, {"status": "new"}):
        _problem(expert.get("/v1/feedback", params=wrong), 422, "invalid-request")


@pytest.mark.parametrize(
    ("said", "review", "status", "settled"),
    [
        ({"verdict": "correct"}, {"decision": "confirm"}, "confirmed", "cmd"),
        ({"verdict": "wrong", "class_key": "cbb"}, {"decision": "confirm"}, "confirmed", "cbb"),
        ({"verdict": "wrong", "class_key": "cbb"}, {"decision": "confirm", "class_key": "cbb"}, "confirmed", "cbb"),
        ({"verdict": "wrong", "class_key": "cbb"}, {"decision": "correct", "class_key": "cgm"}, "confirmed", "cgm"),
        ({"verdict": "unsure"}, {"decision": "confirm", "class_key": "healthy"}, "confirmed", "healthy"),
        ({"verdict": "wrong", "class_key": "cbb"}, {"decision": "dismiss"}, "dismissed", None),
        ({"verdict": "wrong", "class_key": "cbb"}, {"decision": "confirm", "class_key": "cgm"}, 409, None),
        ({"verdict": "unsure"}, {"decision": "confirm"}, 422, None),
        ({"verdict": "wrong"}, {"decision": "correct"}, 422, None),
        ({"verdict": "wrong"}, {"decision": "correct", "class_key": "rust"}, 422, None),
        ({"verdict": "wrong"}, {"decision": "approve"}, 422, None),
    ],
)
def test_reviews(
    server: RecordServer,
    user: httpx2.Client,
    expert: httpx2.Client,
    said: dict[str, str],
    review: dict[str, str],
    status: str | int,
    settled: str | None,
) -> None:
    given = _said(user.post("/v1/feedback", json={"prediction_id": _predicted(server), **said}))
    reply = expert.post(f"/v1/feedback/{given['feedback_id']}/review", json=review)
    if isinstance(status, int):
        assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
        assert expert.get("/v1/feedback").json()["items"][0]["status"] == "pending"
        return
    item = _said(reply, 200)
    assert (item["status"], item["confirmed_class_key"]) == (status, settled)
    assert item["reviewed_at"] and item["reviewed_by"].startswith("key:")


def test_unknown_feedback(expert: httpx2.Client) -> None:
    path = f"/v1/feedback/{'0' * 32}"
    _problem(expert.post(f"{path}/review", json={"decision": "dismiss"}), 404, "unknown-feedback")
    _problem(expert.get(f"{path}/photo"), 404, "unknown-feedback")
    _problem(expert.get("/v1/feedback/1/photo"), 422, "invalid-request")


def test_a_feedback_without_a_kept_photo(server: RecordServer, user: httpx2.Client, expert: httpx2.Client) -> None:
    said = _said(user.post("/v1/feedback", json={"prediction_id": _predicted(server), "verdict": "correct"}))
    _problem(expert.get(f"/v1/feedback/{said['feedback_id']}/photo"), 404, "unknown-feedback")
