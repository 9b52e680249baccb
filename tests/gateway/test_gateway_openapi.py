"""The API describes itself: every route, every problem, an example of each, all of them valid."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import jsonschema_rs
import pytest
from photos import photo

from gateway import errors
from gateway.api.problem_examples import documented_problems
from gateway.app import create_app
from gateway.errors import Problem
from gateway.settings import Settings

PROBLEM_JSON = "application/problem+json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """What a gateway that needs keys says of all its routes."""
    return json.loads(json.dumps(create_app(Settings(auth="required")).openapi(), allow_nan=False))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def contents(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All answers with a body: where, and their media type object."""
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            for media_type, content in response.get("content", {}).items():
                yield f"{method} {path} {status} {media_type}", content


def examples(content: dict[str, Any]) -> list[Any]:
    named = [example["value"] for example in content.get("examples", {}).values()]
    return [*named, content["example"]] if "example" in content else named


def is_valid(document: dict[str, Any], schema: dict[str, Any], value: Any) -> bool:
    whole = {**schema, "components": document["components"]}
    return jsonschema_rs.Draft202012Validator(whole).is_valid(value)


def inlined_examples(document: dict[str, Any], content: dict[str, Any]) -> list[Any]:
    """Examples that the model itself carries."""
    schema = content.get("schema", {})
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema.get("examples", [])


def test_the_routes_of_the_contract_are_there(document: dict[str, Any]) -> None:
    paths = document["paths"]
    contract = {"/v1/predict", "/predict", "/v1/predict:batch", "/v1/diagnoses", "/v1/classes", "/v1/release"}
    assert contract | {"/health", "/health/ready"} <= paths.keys()
    assert paths["/predict"]["post"]["deprecated"] is True


def test_every_answer_has_an_example(document: dict[str, Any]) -> None:
    bare = [
        where
        for where, content in contents(document)
        if not examples(content) and not inlined_examples(document, content)
    ]
    assert bare == []


def test_every_example_is_valid(document: dict[str, Any]) -> None:
    invalid = [
        where
        for where, content in contents(document)
        for example in [*examples(content), *inlined_examples(document, content)]
        if not is_valid(document, content["schema"], example)
    ]
    assert invalid == []


def test_every_status_of_an_error_is_described_as_a_problem(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            if status == "default" or int(status) >= 400:
                assert list(response["content"]) == [PROBLEM_JSON], (method, path, status)


def all_problems(base: type[Problem] = Problem) -> set[type[Problem]]:
    below = {problem for child in base.__subclasses__() for problem in all_problems(child)}
    return below | ({base} if "type" in vars(base) else set())


def test_every_problem_has_an_example_below_a_route(document: dict[str, Any]) -> None:
    known = {kind for kind in all_problems() if kind.__module__ == errors.__name__}
    assert set(documented_problems()) == known
    described = {
        example["type"]
        for where, content in contents(document)
        if PROBLEM_JSON in where
        for example in examples(content)
    }
    assert {kind.type for kind in known} - described == set()


def test_examples_say_where_they_stand(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/diagnoses"]["post"]["responses"]["422"]["content"][PROBLEM_JSON]
    example = content["examples"]["no-usable-photo"]["value"]
    assert (example["instance"], example["status"]) == ("/v1/diagnoses", 422)
    assert example["photos"][0]["problem"]["type"] == "/problems/undecodable-image"
    assert "overloaded" not in content["examples"]


def test_the_header_fields_of_problems_are_described(document: dict[str, Any]) -> None:
    told = {"429": "Retry-After", "503": "Retry-After", "504": "Retry-After", "401": "WWW-Authenticate"}
    for _, _, operation in operations(document):
        for status, name in told.items():
            if status in operation["responses"]:
                assert name in operation["responses"][status]["headers"]
        assert "Retry-After" not in operation["responses"].get("415", {}).get("headers", {})
        assert "Allow" in operation["responses"]["default"]["headers"]


def test_nothing_of_the_frameworks_own_errors_is_left(document: dict[str, Any]) -> None:
    assert not {"HTTPValidationError", "ValidationError"} & document["components"]["schemas"].keys()
    assert "x-problems" not in str(document)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/predict", 200),
        ("POST", "/v1/predict?explain=maybe", 422),
        ("POST", "/v1/predict:batch", 200),
        ("POST", "/v1/diagnoses", 200),
        ("GET", "/v1/classes", 200),
        ("GET", "/v1/release", 200),
        ("GET", "/health", 200),
        ("GET", "/health/ready", 200),
    ],
)
def test_real_answers_fit_their_schemas(client: httpx2.Client, method: str, path: str, status: int) -> None:
    document = client.get("/openapi.json").raise_for_status().json()
    files = [
        ("file", ("a.jpg", photo())),
        *([("file", ("b.jpg", b"no image"))] if ":" in path or "diag" in path else []),
    ]
    reply = client.request(method, path, files=files if method == "POST" else None)
    assert reply.status_code == status, reply.text
    operation = document["paths"][path.partition("?")[0]][method.lower()]
    (content,) = operation["responses"][str(status)]["content"].values()
    assert is_valid(document, content["schema"], reply.json())
