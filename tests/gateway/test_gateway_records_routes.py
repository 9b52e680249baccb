"""Over HTTP: what was answered can be read and deleted by whom it belongs to, and by nobody else."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from photos import photo
from postgres import PostgresCluster
from processes import wait_until
from record_entries import entry
from records_app import RecordServer, record_server
from sqlalchemy import Engine, func, insert, select

from gateway.access.caller import Scope
from gateway.database import open_database, upgrade, write
from gateway.database.schema import feedback, predictions
from gateway.records import deletions
from gateway.records.entry import PredictionEntry
from gateway.records.photos import PhotoStore
from gateway.records.predictions import delete_of_client
from gateway.records.recorder import Recorder
from gateway.records.rows import prediction_row
from gateway.records.writing import DatabaseDownError
from gateway.settings import Settings

pytest_plugins = ("database_fixtures",)

PREDICT, DELEGATE, ADMIN, REVIEW = Scope.PREDICT, Scope.DELEGATE, Scope.ADMIN, Scope.REVIEW
NOBODY = "0" * 32


@pytest.fixture
def server(engine: Engine, tmp_path: Path) -> Iterator[RecordServer]:
    with record_server(engine, tmp_path / "state") as running:
        yield running


def _rows(engine: Engine, table: object = predictions) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_read_right_after_the_answer(server: RecordServer) -> None:
    with server.client(PREDICT) as http:
        prediction_id = server.put(entry(client=server.client_hash(PREDICT), kind="diagnosis", group_id="a" * 32))
        reply = http.get(f"/v1/predictions/{prediction_id}")
    assert reply.status_code == 200 and reply.headers["cache-control"] == "private, no-store"
    body = reply.json()
    assert (body["prediction_id"], body["kind"], body["group_id"]) == (prediction_id, "diagnosis", "a" * 32)
    assert (body["class_key"], body["release"], body["timings_ms"]["total"]) == ("cmd", 1, 93.75)
    assert body["created_at"].endswith(("Z", "+00:00")) and body["photo_kept"] is False
    assert not {"client", "end_user", "caller_kind"} & body.keys()


def test_only_the_same_caller_or_an_admin_reads_and_deletes(server: RecordServer) -> None:
    prediction_id = server.put(entry(client=server.client_hash(PREDICT)))
    path = f"/v1/predictions/{prediction_id}"
    with server.client(PREDICT, name="other") as other, server.client(PREDICT) as mine, server.client() as nobody:
        for method in ("GET", "DELETE"):
            refused, unknown = other.request(method, path), other.request(method, f"/v1/predictions/{NOBODY}")
            assert (refused.status_code, unknown.status_code) == (404, 404)
            assert refused.json()["type"] == "/problems/unknown-prediction"
            assert refused.json()["detail"] == unknown.json()["detail"]  # ids tell nothing
            assert nobody.request(method, path).status_code == 401
        assert mine.get(path).status_code == 200
        assert mine.delete(path).status_code == 204
        assert mine.get(path).status_code == mine.delete(path).status_code == 404
    prediction_id = server.put(entry(client=server.client_hash(PREDICT)))
    with server.client(PREDICT, ADMIN) as admin:
        assert admin.delete(f"/v1/predictions/{prediction_id}").status_code == 204


@pytest.mark.parametrize("kind", ["open", "page"])
def test_what_nobody_in_particular_was_answered_belongs_to_who_knows_the_id(server: RecordServer, kind: str) -> None:
    prediction_id = server.put(entry(caller_kind=kind, client="d" * 32))
    with server.client(PREDICT) as http:
        assert http.get(f"/v1/predictions/{prediction_id}").status_code == 200
        assert http.delete(f"/v1/predictions/{prediction_id}").status_code == 204


def test_end_users_of_one_key_are_apart(server: RecordServer) -> None:
    amani = {"client": server.client_hash(PREDICT, DELEGATE, end_user="amani"), "end_user": "1" * 32}
    baraka = {"client": server.client_hash(PREDICT, DELEGATE, end_user="baraka"), "end_user": "2" * 32}
    ids = [server.put(entry(**amani)) for _ in range(3)]
    other = server.put(entry(**baraka))
    with server.client(PREDICT, DELEGATE, end_user="amani") as http:
        assert http.get(f"/v1/predictions/{other}").status_code == 404
        assert http.get(f"/v1/predictions/{ids[0]}").status_code == 200
        assert http.delete("/v1/predictions").json() == {"deleted": 3}
        assert http.delete("/v1/predictions").json() == {"deleted": 0}
    with server.client(PREDICT, DELEGATE, end_user="baraka") as http:
        assert http.get(f"/v1/predictions/{other}").status_code == 200
    with server.client(PREDICT, DELEGATE) as http:
        refused = http.delete("/v1/predictions")
    assert refused.status_code == 422 and "X-End-User" in refused.json()["detail"]


def test_end_users_stay_reachable_when_the_key_is_replaced(server: RecordServer) -> None:
    amani = {"client": server.client_hash(PREDICT, DELEGATE, end_user="amani"), "end_user": "1" * 32}
    read, other = server.put(entry(**amani)), server.put(entry(**amani))
    with server.client(PREDICT, DELEGATE, end_user="amani", name="new", replaces="") as http:
        assert http.get(f"/v1/predictions/{read}").status_code == 200
        assert http.delete(f"/v1/predictions/{other}").status_code == 204
        assert http.delete("/v1/predictions").json() == {"deleted": 1}


def test_deletion_takes_feedback_and_photo_along(server: RecordServer, engine: Engine) -> None:
    data = photo()
    photos = PhotoStore(server.settings.data_dir / "photos")
    with server.client(PREDICT) as http:
        prediction_id = server.put(entry(client=server.client_hash(PREDICT), photo=data))
        path = f"/v1/predictions/{prediction_id}"
        wait_until(lambda: http.get(path).json()["photo_kept"], 5, "photo kept")
        assert photos.path(prediction_id).is_file()
        said = http.post("/v1/feedback", json={"prediction_id": prediction_id, "verdict": "unsure"})
        assert said.status_code == 201 and said.json()["photo_kept"]
        assert http.delete(path).status_code == 204
    assert not photos.path(prediction_id).exists()
    assert (_rows(engine), _rows(engine, feedback)) == (0, 0)


def test_deleted_while_its_photo_is_still_being_made(server: RecordServer, engine: Engine) -> None:
    photos = PhotoStore(server.settings.data_dir / "photos")
    with server.client(PREDICT) as http:
        many = [server.put(entry(client=server.client_hash(PREDICT), photo=photo())) for _ in range(20)]
        for prediction_id in many:
            assert http.delete(f"/v1/predictions/{prediction_id}").status_code == 204
    asyncio.run(server.recorder.close())
    assert [prediction_id for prediction_id in many if photos.path(prediction_id).exists()] == []
    assert _rows(engine) == 0


def test_an_answer_of_another_worker_is_waited_for(server: RecordServer, engine: Engine, tmp_path: Path) -> None:
    other_worker = Recorder(Settings(data_dir=tmp_path / "state"), engine)
    with server.client(PREDICT) as http:
        answered = entry(client=server.client_hash(PREDICT))
        other_worker.put(answered)
        assert http.get(f"/v1/predictions/{answered.prediction_id}").status_code == 200
    asyncio.run(other_worker.close())


@contextlib.contextmanager
def _cut_off(recorder: Recorder, *entries: PredictionEntry) -> Iterator[None]:
    """These entries wait in a recorder that reaches the database only after the block, and are settled then."""
    writer, recorder._writer = recorder._writer, _Down()  # type: ignore[assignment]
    for each in entries:
        recorder.put(each)
    yield
    recorder._writer = writer
    wait_until(lambda: recorder.waiting == 0, 10, "written at last")


@pytest.fixture
def other_worker(engine: Engine, tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(Settings(data_dir=tmp_path / "state"), engine)
    yield recorder
    asyncio.run(recorder.close())


def _ids(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(select(predictions.c.id)).scalars())


def test_what_another_worker_holds_does_not_come_back(
    server: RecordServer, engine: Engine, other_worker: Recorder
) -> None:
    amani = {"client": server.client_hash(PREDICT, DELEGATE, end_user="amani"), "end_user": "1" * 32}
    held = [entry(**amani, photo=photo()), *(entry(**amani) for _ in range(4))]
    other = entry()
    stored = [server.put(entry(**amani)) for _ in range(3)]
    with server.client(PREDICT, DELEGATE, end_user="amani") as http, _cut_off(other_worker, *held, other):
        assert http.get(f"/v1/predictions/{stored[0]}").status_code == 200
        assert http.delete("/v1/predictions").json() == {"deleted": 3}
    assert _ids(engine) == {other.prediction_id} and other_worker.dropped == 0
    later = entry(**amani)
    other_worker.put(later)
    asyncio.run(other_worker.flush())
    assert _ids(engine) == {other.prediction_id, later.prediction_id}
    asyncio.run(other_worker.close())
    assert not list((server.settings.data_dir / "photos").rglob("*.jpg"))


@pytest.mark.parametrize("kind", ["key", "page"])
def test_one_that_another_worker_holds_does_not_come_back(
    server: RecordServer, engine: Engine, other_worker: Recorder, kind: str
) -> None:
    mine = entry(caller_kind=kind, client=server.client_hash(PREDICT) if kind == "key" else "d" * 32)
    theirs = entry(client="e" * 32)
    with server.client(PREDICT) as http, _cut_off(other_worker, mine, theirs):
        for each in (mine, theirs):
            refused = http.delete(f"/v1/predictions/{each.prediction_id}")
            assert refused.status_code == 404 and "never will be" in refused.json()["detail"]
    assert _ids(engine) == {theirs.prediction_id}


def test_one_whose_first_try_was_written_after_all_does_not_come_back(server: RecordServer, engine: Engine) -> None:
    answered = entry(client=server.client_hash(PREDICT))
    with server.client(PREDICT) as http:
        server.put(answered)
        assert http.delete(f"/v1/predictions/{answered.prediction_id}").status_code == 204
    server.put(answered)  # as after a commit whose answer was lost
    asyncio.run(server.recorder.flush())
    assert _ids(engine) == set()


def test_deleting_waits_for_what_is_being_written(engine: Engine, tmp_path: Path) -> None:
    row = prediction_row(entry())
    deleted = threading.Event()

    def delete() -> None:
        with write(engine) as connection:
            delete_of_client(connection, row["client"], PhotoStore(tmp_path))
        deleted.set()

    thread = threading.Thread(target=delete)
    with write(engine) as connection:
        assert deletions.still_wanted(connection, [row]) == [row]
        thread.start()
        assert not deleted.wait(0.5)
        connection.execute(insert(predictions), row)
    thread.join(10)
    assert deleted.is_set() and _ids(engine) == set()


@pytest.mark.parametrize("prediction_id", ["1", "G" * 32, "A" * 32, "0" * 33, "..%2F..%2Fsecret"])
def test_other_ids_are_refused(server: RecordServer, prediction_id: str) -> None:
    with server.client(PREDICT) as http:
        for method in ("GET", "DELETE"):
            reply = http.request(method, f"/v1/predictions/{prediction_id}")
            assert reply.status_code in (404, 422)
            assert reply.headers["content-type"] == "application/problem+json"


def test_a_stopped_database_is_a_503_soon(postgres: PostgresCluster, tmp_path: Path) -> None:
    engine = open_database(postgres.new_database())
    upgrade(engine)
    with record_server(engine, tmp_path) as server, server.client(PREDICT) as http:
        prediction_id = server.put(entry(client=server.client_hash(PREDICT)))
        assert http.get(f"/v1/predictions/{prediction_id}").status_code == 200
        postgres.stop()
        try:
            started = time.monotonic()
            replies: list[int] = []
            asks = [
                threading.Thread(target=lambda: replies.append(http.get(f"/v1/predictions/{NOBODY}").status_code))
                for _ in range(8)
            ]
            for ask in asks:
                ask.start()
            for ask in asks:
                ask.join()
            assert replies == [503] * 8 and time.monotonic() - started < 5
            refused = http.post("/v1/feedback", json={"prediction_id": prediction_id, "verdict": "wrong"})
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            assert refused.json()["type"] == "/problems/records-unavailable"
        finally:
            postgres.start()
        assert http.get(f"/v1/predictions/{prediction_id}").status_code == 200
    engine.dispose()


def test_what_waits_for_the_database_is_no_404(engine: Engine, tmp_path: Path) -> None:
    with record_server(engine, tmp_path, record_close_s=0.5) as server:
        clients = (server.client(PREDICT), server.client(PREDICT, DELEGATE, end_user="amani"))
        server.recorder._writer = _Down()  # type: ignore[assignment]
        prediction_id = server.put(entry())
        with clients[0] as http:
            reply = http.get(f"/v1/predictions/{prediction_id}")
            assert (reply.status_code, reply.json()["type"]) == (503, "/problems/records-unavailable")
        with clients[1] as http:
            assert http.delete("/v1/predictions").status_code == 503


class _Down:
    """A database that reads but does not write."""

    def write(self, batch: object) -> None:  # noqa: ARG002
        raise DatabaseDownError("read only")
