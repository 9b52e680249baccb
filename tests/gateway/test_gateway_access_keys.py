"""API keys over HTTP: who gets in, who does not, how soon a revocation holds."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from access_app import AccessServer, access_server
from postgres import running_postgres
from processes import ROOT, wait_until
from sqlalchemy import select, text
from structlog.testing import capture_logs
from typer.testing import CliRunner

from gateway.access import key_store
from gateway.access.caller import Scope
from gateway.access.starting import require_credentials_configured
from gateway.commands.keys import app
from gateway.database import open_database, upgrade
from gateway.database.schema import api_keys
from gateway.errors import NoCredentialsError
from gateway.settings import Settings

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessServer]:
    with access_server(tmp_path_factory.mktemp("keys"), auth_failure_limit="10000/minute") as running:
        yield running


@pytest.fixture(scope="module")
def key(server: AccessServer) -> str:
    return server.make_key()


def test_a_key_is_taken_from_either_header(server: AccessServer, key: str) -> None:
    for headers in ({"Authorization": f"Bearer {key}"}, {"authorization": f"bearer  {key}"}, {"X-API-Key": key}):
        with server.client() as client:
            answer = client.post("/predict", headers=headers)
        assert answer.status_code == 200
        assert answer.json()["kind"] == "key"
        assert answer.json()["subject"] == key.split("_")[1]
        assert answer.json()["scopes"] == ["predict"]


def test_without_credential_the_answer_says_how(server: AccessServer) -> None:
    with server.client() as client:
        answer = client.post("/predict")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == PROBLEM
    assert answer.headers["www-authenticate"] == 'Bearer realm="leaf"'
    assert "Authorization: Bearer" in answer.json()["detail"]


def _changed(text: str, index: int) -> str:
    return text[:index] + ("A" if text[index] != "A" else "B") + text[index + 1 :]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: key[:-1],
        lambda key: key[:13],
        lambda key: key[:13] + "_",
        lambda key: key + "A",
        lambda key: _changed(key, -2),
        lambda key: _changed(key, 20),
        lambda key: "leaf_00000000" + key[13:],
        lambda key: key.upper(),
        lambda _: "leaf_",
        lambda key: key.removeprefix("leaf_"),
    ],
)
def test_what_is_not_exactly_the_key_is_refused(server: AccessServer, key: str, spoil) -> None:
    with server.client() as client:
        answer = client.post("/predict", headers={"Authorization": f"Bearer {spoil(key)}"})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == PROBLEM
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", "Basic dXNlcjpwYXNz")],
        [("Authorization", "Bearer")],
        [("Authorization", "")],
        [("Authorization", b"Bearer leaf_\xff\xfe")],
        [("Authorization", "Bearer {key}"), ("X-API-Key", "{key}")],
        [("Authorization", "Bearer {key}"), ("Authorization", "Bearer {key}")],
        [("X-API-Key", "{key}, {key}")],
    ],
)
def test_odd_credentials_are_refused(server: AccessServer, key: str, headers) -> None:
    filled = [(name, value if isinstance(value, bytes) else value.format(key=key)) for name, value in headers]
    with server.client() as client:
        answer = client.post("/predict", headers=filled)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == PROBLEM


@pytest.mark.parametrize("name", ["api_key", "key", "token", "access_token", "API_KEY", "x-api-key"])
def test_a_key_in_the_address_is_refused_even_beside_a_valid_one(server: AccessServer, key: str, name: str) -> None:
    with server.client(Authorization=f"Bearer {key}") as client:
        answer = client.post("/predict", params={"cost": 1, name: key})
    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/credential-in-url"
    assert "leaked" in answer.json()["detail"]
    assert "header" in answer.json()["detail"]
    assert key not in answer.text


def test_a_key_in_the_address_of_a_public_route_is_refused_too(server: AccessServer, key: str) -> None:
    with server.client() as client:
        for path in ("/page/token", "/nowhere"):
            answer = client.get(path, params={"lang": "sw", "key": key})
            assert (answer.status_code, answer.json()["type"]) == (400, "/problems/credential-in-url")


def test_what_a_known_caller_gets_is_stored_nowhere(server: AccessServer, key: str) -> None:
    with server.client(Authorization=f"Bearer {key}") as client:
        assert client.post("/predict").headers["cache-control"] == "private, no-store"
    with server.client(Authorization=f"Bearer {server.make_key(Scope.REVIEW)}") as client:
        assert client.get("/review").headers["cache-control"] == "private, no-store"
    with server.client() as client:
        assert "cache-control" not in client.post("/predict").headers


def test_a_missing_scope_is_named(server: AccessServer, key: str) -> None:
    with server.client(Authorization=f"Bearer {key}") as client:
        answer = client.get("/review")
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer realm="leaf", error="insufficient_scope", scope="review"'
    reviewer = server.make_key(Scope.REVIEW)
    with server.client(Authorization=f"Bearer {reviewer}") as client:
        assert client.get("/review").status_code == 200
        assert client.post("/predict").status_code == 403
        assert client.get("/admin").status_code == 403


def test_a_revoked_key_ends_within_2_s_on_every_worker(tmp_path: Path) -> None:
    often = {"rate_limit": "10000/minute", "auth_failure_limit": "10000/minute"}
    with access_server(tmp_path, **often) as first, access_server(tmp_path, **often) as second:
        key = first.make_key()
        with first.client(X_API_Key=key) as here, second.client(X_API_Key=key) as there:
            clients = (here, there)
            deadline = time.monotonic() + 3
            while there.post("/predict").status_code != 200:
                assert time.monotonic() < deadline
            assert here.post("/predict").status_code == 200
            assert key_store.revoke_key(first.engine, key.split("_")[1])
            revoked = time.monotonic()
            while any(client.post("/predict").status_code != 401 for client in clients):
                assert time.monotonic() - revoked < 2
                time.sleep(0.02)
            time.sleep(1.2)
            assert all(client.post("/predict").status_code == 401 for client in clients)


def test_known_keys_stay_valid_while_the_database_is_down(tmp_path: Path) -> None:
    with running_postgres() as cluster, access_server(tmp_path, database_url=cluster.new_database()) as server:
        key = server.make_key(Scope.PREDICT, Scope.REVIEW)
        with server.client(X_API_Key=key) as client, capture_logs() as logs:
            assert client.get("/review").json()["scopes"] == ["predict", "review"]
            cluster.stop()
            for _ in range(5):
                assert client.post("/predict").status_code == 200
                time.sleep(0.5)
            cluster.start()
            wait_until(lambda: "can be read again" in str(logs), 5, "keys read again")
            assert key_store.revoke_key(server.engine, key.split("_")[1])
            wait_until(lambda: client.post("/predict").status_code == 401, 2, "revocation")
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == [
        "keys cannot be read; the last known stay valid"
    ]


def test_keys_that_were_never_read_are_no_reason_to_let_in_or_turn_away(tmp_path: Path) -> None:
    away = "ALTER TABLE api_keys RENAME TO away"
    with access_server(tmp_path, away, host="127.0.0.1") as server, server.client() as client:
        for headers in ({}, {"X-API-Key": "leaf_00000000_" + "A" * 43}):
            answer = client.post("/predict", headers=headers)
            assert answer.status_code == 503
            assert answer.json()["type"] == "/problems/credentials-unknown"
            assert int(answer.headers["retry-after"]) > 0
        with server.engine.begin() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO api_keys"))
        time.sleep(1.5)
        assert client.post("/predict").status_code == 200


def test_only_a_hash_is_stored(server: AccessServer, key: str) -> None:
    with server.engine.connect() as connection:
        rows = connection.execute(select(api_keys)).all()
    assert key.split("_", 2)[2] not in repr(rows)
    for file in Path(str(server.engine.url.database)).parent.iterdir():
        assert key.split("_", 2)[2].encode() not in file.read_bytes()


def test_use_is_noted(server: AccessServer, key: str) -> None:
    def used() -> bool:
        keys = {stored.id: stored.last_used_at for stored in key_store.read_keys(server.engine)}
        return keys[key.split("_")[1]] is not None

    assert not used()
    with server.client(X_API_Key=key) as client:
        client.post("/predict")
    key_store.note_use(server.engine, server.access._keys._used)
    assert used()


def _keys(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command within this process, which saves importing it."""
    environment = {"GATEWAY_DATA_DIR": str(folder), "COLUMNS": "200"}
    result = CliRunner().invoke(app, arguments, prog_name="keys", env=environment)
    structlog.reset_defaults()  # its logs went to the runner's output, which is closed now
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)


def _keys_alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator does."""
    code = "from gateway.commands.keys import app; app(prog_name='keys')"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={"GATEWAY_DATA_DIR": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_makes_lists_and_revokes(tmp_path: Path) -> None:
    made = _keys_alone(tmp_path, "create", "--name", "leaf bot", "--scope", "predict", "--scope", "delegate")
    assert made.returncode == 0
    key = made.stdout.strip()
    assert key_store.WELL_FORMED.fullmatch(key)
    assert "not shown again" in made.stderr
    listed = _keys(tmp_path, "list")
    assert key not in listed.stdout
    (line,) = (line for line in listed.stdout.splitlines() if "leaf bot" in line)
    assert line.split()[0] == key.split("_")[1]
    assert "delegate,predict" in line

    engine = open_database(f"sqlite:///{tmp_path}/gateway.db")
    settings = Settings(host="0.0.0.0", data_dir=tmp_path)
    require_credentials_configured(settings, engine)
    assert _keys(tmp_path, "revoke", key.split("_")[1]).returncode == 0
    again = _keys(tmp_path, "revoke", key.split("_")[1])
    assert again.returncode == 1
    assert "no active key" in again.stderr
    with pytest.raises(NoCredentialsError, match="keys create"):
        require_credentials_configured(settings, engine)
    engine.dispose()


def test_a_key_that_replaces_another_has_its_owner(tmp_path: Path) -> None:
    def create(*arguments: str) -> subprocess.CompletedProcess[str]:
        return _keys(tmp_path, "create", "--name", "bot", "--scope", "predict", *arguments)

    first = create().stdout.split("_")[1]
    assert _keys(tmp_path, "revoke", first).returncode == 0
    made = create("--replace", first)
    second = made.stdout.split("_")[1]
    assert f"keys revoke {first}" in made.stderr
    third = create("--replace", second).stdout.split("_")[1]
    listed = [line.split()[:3] for line in _keys(tmp_path, "list").stdout.splitlines()]
    assert listed == [["ID", "OWNER", "NAME"], *([key, first, "bot"] for key in (first, second, third))]
    unknown = create("--replace", "00000000")
    assert (unknown.returncode, unknown.stdout) == (1, "") and "no key '00000000'" in unknown.stderr


def test_a_key_and_its_successor_are_one_caller(server: AccessServer, key: str) -> None:
    owner = key.split("_")[1]
    successor = server.make_key(owner=owner)
    identities = set()
    for each in (key, successor):
        with server.client(X_API_Key=each) as client:
            identities.add(client.post("/predict").json()["identity"])
    assert identities == {f"key:{owner}"}
    assert key_store.revoke_key(server.engine, successor.split("_")[1])
    with server.client(X_API_Key=key) as client:
        assert client.post("/predict").status_code == 200


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "--name", "x"), "--scope"),
        (("create", "--name", " ", "--scope", "predict"), "80 printable"),
        (("create", "--name", "x" * 81, "--scope", "predict"), "80 printable"),
        (("create", "--name", "x", "--scope", "everything"), "everything"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    done = _keys(tmp_path, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_a_database_that_cannot_be_reached_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_text("this is no database, whatever its name says")
    done = _keys(tmp_path, "list")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "GATEWAY_DATABASE_URL" in done.stderr


def test_a_start_where_others_can_reach_it_needs_a_way_to_tell_callers_apart(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/gateway.db")
    upgrade(engine)
    for host in ("127.0.0.1", "::1", "localhost", "127.8.9.1"):
        require_credentials_configured(Settings(host=host, data_dir=tmp_path), engine)
    for host in ("0.0.0.0", "::", "192.168.1.5", "gateway.example.org", ""):
        with pytest.raises(NoCredentialsError, match="python -m gateway keys create"):
            require_credentials_configured(Settings(host=host, data_dir=tmp_path), engine)
    with pytest.raises(NoCredentialsError, match="loopback"):
        require_credentials_configured(Settings(host="0.0.0.0", auth="open", data_dir=tmp_path), engine)
    tokens = {"jwt_algorithm": "HS256", "jwt_key": "k" * 32, "jwt_issuer": "i", "jwt_audience": "a"}
    require_credentials_configured(Settings(host="0.0.0.0", data_dir=tmp_path, **tokens), engine)
    engine.dispose()
