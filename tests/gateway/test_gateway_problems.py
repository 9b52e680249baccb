"""Every error has one form; request ids go everywhere."""

import json
import re

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from photos import encode, photo, picture
from processes import GatewayProcess, wait_until

from gateway import errors
from gateway.middleware import RequestContext
from gateway.problems import install_problem_handlers


def all_problems(base: type[errors.Problem] = errors.Problem) -> list[type[errors.Problem]]:
    return [base, *(problem for child in base.__subclasses__() for problem in all_problems(child))]


RAISED = [problem for problem in all_problems() if "type" in vars(problem)]


def test_types_are_stable_and_distinct() -> None:
    types = [problem.type for problem in RAISED]
    assert len(set(types)) == len(types)
    assert all(re.fullmatch(r"/problems/[a-z-]+", one) for one in types)


def test_the_docstring_draws_the_whole_tree() -> None:
    assert all(problem.__name__ in (errors.__doc__ or "") for problem in all_problems())


@pytest.mark.parametrize("problem", RAISED, ids=lambda problem: problem.__name__)
def test_statuses_are_errors_and_503_says_when(problem: type[errors.Problem]) -> None:
    assert 400 <= problem.status < 600
    assert problem.status != 503 or problem.retry_after_s


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "slug"),
    [
        ("GET", "/v1/nothing", b"", 404, "not-found"),
        ("POST", "/v1/predict/", photo(), 404, "not-found"),
        ("GET", "/v1/predict", b"", 405, "method-not-allowed"),
        ("POST", "/health", b"", 405, "method-not-allowed"),
        ("POST", "/v1/predict", b"", 400, "malformed-upload"),
        ("POST", "/v1/predict?explain=perhaps", photo(), 422, "invalid-request"),
        ("POST", "/v1/predict:batch", photo(), 400, "malformed-upload"),
        ("POST", "/v1/diagnoses", photo(), 400, "malformed-upload"),
        ("GET", "/v1/diagnoses", b"", 405, "method-not-allowed"),
        ("POST", "/v1/classes", b"", 405, "method-not-allowed"),
        ("POST", "/v1/predict", b"hello, this is text", 415, "unsupported-format"),
        ("POST", "/v1/predict", encode(picture(), "GIF"), 415, "unsupported-format"),
        ("POST", "/v1/predict", b"\x00\x00\x00\x18ftypisom" + bytes(64), 415, "unsupported-format"),
        ("POST", "/v1/predict", encode(picture(31, 100)), 422, "image-too-small"),
        ("POST", "/v1/predict", encode(picture(40, 321)), 422, "image-too-elongated"),
        ("POST", "/v1/predict", photo()[:-200], 422, "undecodable-image"),
        (
            "POST",
            "/v1/predict",
            encode(picture(), "TIFF", save_all=True, append_images=[picture()]),
            422,
            "several-frames",
        ),
        ("POST", "/v1/predict", photo("refuse=invalid"), 422, "undecodable-image"),
        ("POST", "/v1/predict", photo("refuse=internal"), 502, "inference-failed"),
    ],
)
def test_every_error_has_one_form(
    client: httpx2.Client, method: str, path: str, body: bytes, status: int, slug: str
) -> None:
    reply = client.request(method, path, content=body)
    assert (reply.status_code, reply.headers["Content-Type"]) == (status, "application/problem+json"), reply.text
    members = reply.json()
    assert list(members) == ["type", "title", "status", "detail", "instance", "request_id"]
    assert members["type"] == f"/problems/{slug}"
    assert (members["status"], members["instance"]) == (status, path.partition("?")[0])
    assert members["request_id"] == reply.headers["X-Request-ID"]
    assert members["detail"].endswith(".")


def test_405_names_the_methods(client: httpx2.Client) -> None:
    assert client.get("/v1/predict").headers["Allow"] == "POST"
    assert client.delete("/v1/classes").headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/v1/classes", "/v1/release"])
def test_head_is_answered_like_get_without_the_body(client: httpx2.Client, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Type", "Content-Length", "ETag", "Content-Language"):
        assert head.headers.get(name) == get.headers.get(name), name
    assert "head" not in client.get("/openapi.json").json()["paths"][path]


def broken_app() -> TestClient:
    """Routes that no room of ours has: one with a parameter, two with defects."""
    app = FastAPI()
    app.add_middleware(RequestContext)
    install_problem_handlers(app)

    @app.get("/number/{number}")
    async def number(number: int) -> int:
        return number

    @app.get("/defect")
    async def defect() -> None:
        raise RuntimeError("secret cause")

    return TestClient(app, raise_server_exceptions=False)


def test_invalid_parameter_of_a_route_made_for_this_test() -> None:
    reply = broken_app().get("/number/seven")
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/invalid-request")
    assert "path.number" in reply.json()["detail"]


def test_defect_of_a_route_made_for_this_test() -> None:
    reply = broken_app().get("/defect", headers={"X-Request-ID": "abc"})
    assert (reply.status_code, reply.json()["type"]) == (500, "/problems/internal-error")
    assert "abc" in reply.json()["detail"]
    assert "secret cause" not in reply.text


def test_well_formed_request_id_is_kept_everywhere(client: httpx2.Client, gateway: GatewayProcess) -> None:
    reply = client.post("/v1/predict", content=photo(), headers={"X-Request-ID": "caller-1.2:3_x"})
    assert reply.headers["X-Request-ID"] == reply.json()["request_id"] == "caller-1.2:3_x"
    wait_until(lambda: "caller-1.2:3_x" in gateway.log.read_text(), 5, "the line after the answer")
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines() if "caller-1.2:3_x" in line]
    assert lines[-1]["status"] == 200
    assert lines[-1]["prediction_id"] == reply.json()["prediction_id"]


@pytest.mark.parametrize("offered", ["", "with space", "x" * 65, 'quote"', "new\tline"])
def test_other_request_ids_are_replaced(client: httpx2.Client, offered: str) -> None:
    reply = client.get("/health", headers={"X-Request-ID": offered})
    assert re.fullmatch("[0-9a-f]{32}", reply.headers["X-Request-ID"])
