"""Tokens of the public page: for its own origin, for a short time, for predictions."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from access_app import SECRET, AccessServer, access_server

from gateway.access.page_tokens import PageTokens

SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessServer]:
    folder = tmp_path_factory.mktemp("page")
    with access_server(folder, page_rate_limit="10000/minute", auth_failure_limit="10000/minute") as running:
        yield running


@pytest.fixture(scope="module")
def token(server: AccessServer) -> str:
    with server.client() as client:
        answer = client.get("/page/token", headers=SAME)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["expires_in"] == 600
    return str(answer.json()["token"])


def test_the_page_may_predict_and_nothing_else(server: AccessServer, token: str) -> None:
    with server.client(Authorization=f"Bearer {token}", **{"Sec-Fetch-Site": "same-origin"}) as client:
        answer = client.post("/predict")
        assert (answer.json()["kind"], answer.json()["scopes"]) == ("page", ["predict"])
        assert client.get("/review").status_code == 403
        assert client.get("/admin").status_code == 403
        assert client.post("/predict", headers={"X-End-User": "amina"}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://{host}"},
        {"Origin": "https://{host}"},
        {"Referer": "http://{host}/"},
        {"Referer": "http://{host}/?lang=sw", "Host": "{host}"},
        {"Origin": "https://leaf.example.org", "Host": "leaf.example.org"},
        {"Origin": "https://leaf.example.org", "Host": "leaf.example.org:443"},
        {"Referer": "https://Leaf.Example.org/x", "Host": "leaf.example.org"},
        {"Origin": "http://[::1]:8080", "Host": "[::1]:8080"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy.example.org"},
    ],
)
def test_the_own_origin_is_known_in_browsers_old_and_new(
    server: AccessServer, token: str, headers: dict[str, str]
) -> None:
    host = server.url.removeprefix("http://")
    filled = {name: value.format(host=host) for name, value in headers.items()}
    with server.client() as client:
        assert client.get("/page/token", headers=filled).status_code == 200
        assert client.post("/predict", headers={**filled, "Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://{host}", "Referer": "http://{host}/"},
        {"Origin": "https://evil.example.org"},
        {"Origin": "null"},
        {"Origin": "http://{host}.evil.example.org"},
        {"Origin": "http://{host}1"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://evil.example.org@{host}:1/"},
        {"Origin": "ftp://{host}"},
        {"Origin": "http://[::1"},
        {"Origin": "http://{host}x"},
        {"Referer": "https://evil.example.org/?http://{host}/"},
        {"Referer": "{host}"},
        {"Origin": "https://evil.example.org", "Referer": "http://{host}/"},
    ],
)
def test_other_sites_and_programs_get_no_token_and_cannot_use_one(
    server: AccessServer, token: str, headers: dict[str, str]
) -> None:
    host = server.url.removeprefix("http://")
    filled = {name: value.format(host=host) for name, value in headers.items()}
    with server.client() as client:
        refused = client.get("/page/token", headers=filled)
        assert refused.status_code == 403
        assert "token" not in refused.json()
        used = client.post("/predict", headers={**filled, "Authorization": f"Bearer {token}"})
    assert used.status_code == 401
    assert used.headers["content-type"] == "application/problem+json"


def _issued(lifetime_s: int, secret: str = SECRET) -> str:
    return PageTokens(secret.encode(), lifetime_s).issue()


def test_an_expired_token_is_refused(server: AccessServer) -> None:
    with server.client(**SAME) as client:
        token = _issued(1)
        assert client.post("/predict", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        time.sleep(1.1)
        answer = client.post("/predict", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]


def test_forged_tokens_are_refused(server: AccessServer, token: str) -> None:
    decoded = bytearray(base64.urlsafe_b64decode(token.removeprefix("page_")))
    forged = [
        _issued(600, SECRET + "?"),
        token[:-1],
        token + "A",
        "page_",
        "page_" + "A" * 64,
        token.removeprefix("page_"),
    ]
    for index in (3, 7, 12, 40):  # expiry, nonce, signature
        changed = decoded.copy()
        changed[index] ^= 1
        forged.append("page_" + base64.urlsafe_b64encode(bytes(changed)).decode())
    with server.client(**SAME) as client:
        for attempt in forged:
            assert client.post("/predict", headers={"Authorization": f"Bearer {attempt}"}).status_code == 401


def test_a_token_of_one_replica_is_valid_at_another_with_the_same_secret(server: AccessServer) -> None:
    with server.client(**SAME) as client:
        assert client.post("/predict", headers={"Authorization": f"Bearer {_issued(60)}"}).status_code == 200


def test_the_page_can_be_switched_off(tmp_path: Path) -> None:
    with access_server(tmp_path, page=False) as server, server.client(**SAME) as client:
        assert client.get("/page/token").status_code == 404
        assert client.post("/predict", headers={"Authorization": f"Bearer {_issued(60)}"}).status_code == 401


def test_an_open_gateway_gives_no_tokens(tmp_path: Path) -> None:
    with access_server(tmp_path, host="127.0.0.1") as server, server.client(**SAME) as client:
        assert client.get("/page/token").status_code == 404
        assert client.post("/predict").status_code == 200


def test_the_page_is_limited_by_address_whatever_its_token(tmp_path: Path) -> None:
    def ask(address: str) -> httpx2.Response:
        with server.client(address, Authorization=f"Bearer {_issued(60)}", **SAME) as client:
            return client.post("/predict")

    with access_server(tmp_path, page_rate_limit="3/minute") as server:
        answers = [ask("127.0.0.1") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[0].headers["ratelimit-policy"] == '"photos-by-address";q=3;w=60'
        assert ask("127.0.0.2").status_code == 200


def test_tokens_are_limited_by_address(tmp_path: Path) -> None:
    with access_server(tmp_path, request_rate_limit="2/minute") as server:
        with server.client(**SAME) as client:
            assert [client.get("/page/token").status_code for _ in range(3)] == [200, 200, 429]
        with server.client("127.0.0.2", **SAME) as client:
            assert client.get("/page/token").status_code == 200
