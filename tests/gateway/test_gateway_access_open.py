"""A gateway without keys: open to its own machine until somebody sets up credentials; and who may name end users."""

from pathlib import Path

import pytest
from access_app import AccessServer, access_server

from gateway.access import key_store
from gateway.access.caller import Scope

EVERYTHING = ["admin", "delegate", "predict", "review"]
TOKENS = {"jwt_algorithm": "HS256", "jwt_key": "k" * 32, "jwt_issuer": "issuer", "jwt_audience": "leaf"}


def _status(server: AccessServer, **headers: str) -> int:
    with server.client(**headers) as client:
        return client.post("/predict").status_code


def test_its_own_machine_may_do_everything_without_limits(tmp_path: Path) -> None:
    tight = {"rate_limit": "1/minute", "page_rate_limit": "1/minute"}
    with access_server(tmp_path, host="127.0.0.1", auth="open", **tight) as server, server.client() as client:
        answers = [client.post("/predict") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 5
        assert answers[0].json()["kind"] == "open"
        assert answers[0].json()["scopes"] == EVERYTHING
        assert "ratelimit" not in answers[0].headers
        assert client.get("/review").status_code == client.get("/admin").status_code == 200


def test_unless_told_that_it_is_open_it_gives_nobody_more_than_predictions(tmp_path: Path) -> None:
    with access_server(tmp_path, host="127.0.0.1") as server, server.client() as client:  # as by way of a silent proxy
        assert client.post("/predict").json()["scopes"] == ["predict"]
        assert client.get("/review").status_code == client.get("/admin").status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.org"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"},
        {"Host": "rebound.evil.example.org"},
        {"Host": "127.0.0.1.evil.example.org"},
        {"Host": "["},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Proto": "https"},
        {"X-Real-IP": "198.51.100.1"},
        {"Via": "1.1 proxy"},
        {"Forwarded": "for=127.0.0.1"},
    ],
)
def test_strangers_that_come_by_way_of_it_may_only_predict(tmp_path: Path, headers: dict[str, str]) -> None:
    open_here = access_server(tmp_path, host="127.0.0.1", auth="open")
    with open_here as server, server.client(**headers) as client:
        assert client.post("/predict").json()["scopes"] == ["predict"]
        assert client.get("/review").status_code == client.get("/admin").status_code == 403


def test_the_first_key_closes_it_and_its_revocation_does_not_open_it(tmp_path: Path) -> None:
    with access_server(tmp_path, host="127.0.0.1") as server:
        assert _status(server) == 200
        key = server.make_key()
        assert _status(server) == 401
        assert _status(server, X_API_Key=key) == 200
        key_store.revoke_key(server.engine, key.split("_")[1])
    with access_server(tmp_path, host="127.0.0.1") as server:
        assert _status(server) == 401


def test_when_it_is_open_is_a_matter_of_settings(tmp_path: Path) -> None:
    for settings, status in (
        ({"host": "127.0.0.1"}, 200),
        ({"host": "::1"}, 200),
        ({"host": "localhost"}, 200),
        ({"host": "127.0.0.1", **TOKENS}, 401),
        ({"host": "127.0.0.1", "auth": "open", **TOKENS}, 200),
        ({"host": "127.0.0.1", "auth": "required"}, 401),
        ({"host": "127.0.0.1", "trusted_proxies": "10.0.0.0/8"}, 401),
        ({"host": "0.0.0.0"}, 401),
        ({"host": "0.0.0.0", "auth": "open"}, 401),
        ({"host": "192.168.0.7"}, 401),
    ):
        with access_server(tmp_path, **settings) as server:
            assert _status(server) == status, settings


def test_a_wrong_credential_is_refused_even_where_none_is_needed(tmp_path: Path) -> None:
    with access_server(tmp_path, host="127.0.0.1") as server:
        assert _status(server, Authorization="Bearer leaf_00000000_" + "A" * 43) == 401
        assert _status(server, Authorization="Bearer e30.e30.e30") == 401


def test_open_behind_a_named_proxy_is_limited_by_address(tmp_path: Path) -> None:
    settings = {"host": "127.0.0.1", "auth": "open", "trusted_proxies": "127.0.0.1", "page_rate_limit": "2/minute"}
    with access_server(tmp_path, **settings) as server:
        assert [_status(server, X_Forwarded_For="198.51.100.1") for _ in range(3)] == [200, 200, 429]
        assert _status(server, X_Forwarded_For="198.51.100.2") == 200
        with server.client(X_Forwarded_For="198.51.100.3") as client:
            assert client.get("/admin").status_code == 403


def test_end_users_are_named_by_keys_that_may_and_only_as_a_hash(tmp_path: Path) -> None:
    with access_server(tmp_path) as server:
        plain, bot = server.make_key(), server.make_key(Scope.PREDICT, Scope.DELEGATE)
        with server.client(X_API_Key=plain, X_End_User="4711") as client:
            smuggled = client.post("/predict")
        assert smuggled.status_code == 403
        assert 'scope="delegate"' in smuggled.headers["www-authenticate"]
        told = []
        for name in ("4711", "4711", "4712", "Amina Öztürk"):
            with server.client(X_API_Key=bot) as client:
                answer = client.post("/predict", headers={"X-End-User": name.encode()})
            assert answer.status_code == 200
            assert name not in answer.text
            told.append(answer.json())
        assert told[0]["end_user"] == told[1]["end_user"]
        assert len({answer["end_user"] for answer in told}) == 3
        assert all(len(answer["end_user"]) == 32 for answer in told)
        with server.client(X_API_Key=bot) as client:
            assert client.post("/predict").json()["end_user"] is None


def test_odd_end_users_are_refused(tmp_path: Path) -> None:
    odd = [b"", b"x" * 129, b"a\tb", b"\xff\xfe", "\u202e".encode(), "é".encode() * 129]
    with access_server(tmp_path) as server:
        bot = server.make_key(Scope.PREDICT, Scope.DELEGATE)
        with server.client(X_API_Key=bot) as client:
            for headers in [*([("X-End-User", name)] for name in odd), [("X-End-User", "a"), ("X-End-User", "b")]]:
                answer = client.post("/predict", headers=headers)
                assert answer.status_code == 422
                assert "128 characters" in answer.json()["detail"]
            assert client.post("/predict", headers={"X-End-User": "é".encode() * 128}).status_code == 200
