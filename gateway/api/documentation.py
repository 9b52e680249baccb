"""The API's description: problems with an example each, credentials, and what every route has in common.

Routes say which problems of their own they answer, by `problems(...)`; what a route's credential, the server and the framework
may answer beside is added to the finished document.
"""

import json
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from gateway import errors
from gateway.access.openapi import describe_credentials
from gateway.api.problem_examples import documented_problems, problem_example, problem_headers
from gateway.errors import Problem
from gateway.problems import ProblemBody
from gateway.settings import Settings

PROBLEM_JSON = "application/problem+json"
BINARY = {"type": "string", "format": "binary"}
LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "schema": {"type": "string"},
    "description": "Language of names and advice; English where the release lacks it.",
    "example": "sw, en;q=0.5",
}
REVALIDATION = {
    "name": "If-None-Match",
    "in": "header",
    "schema": {"type": "string"},
    "description": "`ETag` of the answer that the caller has.",
}
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The answer that the caller has still holds."}}

_PROBLEM = {"$ref": "#/components/schemas/ProblemBody"}
_ANYWHERE = (
    *(errors.MalformedRequest, errors.NotFound, errors.MethodNotAllowed, errors.HeadTooLarge),
    *(errors.CredentialInUrl, errors.OriginRefused, errors.ClientGone, errors.InternalError),
)
_WITH_CREDENTIAL = (
    *(errors.Unauthenticated, errors.Forbidden, errors.InvalidRequest, errors.RateLimited, errors.CredentialsUnknown),
)
_FRAMEWORKS_OWN = ("HTTPValidationError", "ValidationError")
_DESCRIPTIONS = {
    400: "The request is malformed.",
    401: "No credential, or none that is valid; `WWW-Authenticate` says which kind is needed.",
    403: "The credential may not do this.",
    404: "Nothing that this caller may see.",
    408: "The upload did not arrive in time.",
    409: "It has changed meanwhile.",
    413: "Too many bytes.",
    415: "Not an accepted image format.",
    422: "Understood, but not possible as it is.",
    429: "More than the caller's share; `Retry-After` says when to try again.",
    502: "The inference server failed.",
    503: "Not available now; `Retry-After` says when to try again.",
    504: "No answer in time.",
}
_HEADERS: dict[str, dict[str, Any]] = {
    "Retry-After": {"description": "Seconds to wait before asking again.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "The credential that is needed.", "schema": {"type": "string"}},
    "Allow": {"description": "With 405: the methods that are possible.", "schema": {"type": "string"}},
}
_REQUEST_ID = {
    "X-Request-ID": {"description": "As sent where well-formed, else made.", "schema": {"type": "string"}},
}

RECEIVING = (
    *(errors.MalformedUpload, errors.ReceiveTimeout, errors.UploadTooLarge, errors.Overloaded),
    *(errors.NotReady, errors.RateLimited),
)
"""What a route that takes photos may answer before it looks at them."""
LOOKING = (
    *(errors.UnsupportedFormat, errors.ImageTooSmall, errors.ImageTooLarge, errors.ImageTooElongated),
    *(errors.SeveralFrames, errors.UndecodableImage),
)
"""What may be wrong with a photo."""
INFERRING = (
    *(errors.InferenceFailed, errors.TritonUnavailable, errors.ReleaseGone, errors.Overloaded),
    errors.DeadlineExceeded,
)
"""What may go wrong in Triton."""


def problems(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses` for a route that may answer these problems; their examples are added to the document."""
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "content": {
                PROBLEM_JSON: {"schema": _PROBLEM, "x-problems": [k.type for k in kinds if k.status == status]}
            },
        }
        for status in sorted({kind.status for kind in kinds})
    }


def answer(model: type[Any], description: str, example: Any) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses` for the answer 200."""
    example_text = json.dumps(example)  # out of an object FastAPI would take the nulls
    content = {"application/json": {"x-example": example_text}}
    return {200: {"model": model, "description": description, "content": content}}


def photo_form(most: int) -> dict[str, Any]:
    """OpenAPI's `requestBody` of a form with 1 to `most` parts named `file`."""
    files = {"type": "array", "items": BINARY, "minItems": 1, "maxItems": most}
    schema = {"type": "object", "required": ["file"], "properties": {"file": files}}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def install_description(app: FastAPI, settings: Settings) -> None:
    """Have the application describe itself by `describe`; call it when all routes are there."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(generate(), settings)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def describe(document: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The finished document: what `generate` of FastAPI gives, with the problems and credentials of this gateway."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _FRAMEWORKS_OWN:
        schemas.pop(name, None)
    for schema in schemas.values():
        if "examples" in schema:
            _restore_nulls(schema)
    schemas["ProblemBody"] = ProblemBody.model_json_schema()
    describe_credentials(document, settings)
    for path, operation in _operations(document):
        responses = operation["responses"]
        if _is_frameworks(responses.get("422", {})):
            del responses["422"]
            _add(responses, errors.InvalidRequest)
        for kind in _WITH_CREDENTIAL if "security" in operation else ():
            _add(responses, kind)
        _add(responses, errors.ShuttingDown)
        responses["default"] = {
            "description": "What any address may answer.",
            "content": {PROBLEM_JSON: {"schema": _PROBLEM, "x-problems": [kind.type for kind in _ANYWHERE]}},
        }
        for status, response in responses.items():
            _finish(response, status, path)
    return document


def _restore_nulls(schema: dict[str, Any]) -> None:
    """Put the nulls into a model's own examples again that FastAPI takes out of them."""
    nullable = {
        name: None
        for name, field in schema.get("properties", {}).items()
        if name in schema.get("required", ()) and {"type": "null"} in field.get("anyOf", ())
    }
    schema["examples"] = [{**nullable, **example} for example in schema["examples"]]


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if isinstance(operation, dict) and "responses" in operation:
                yield path, operation


def _is_frameworks(response: dict[str, Any]) -> bool:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return bool(schema.get("$ref", "").endswith("/HTTPValidationError"))


def _add(responses: dict[str, Any], kind: type[Problem]) -> None:
    """Name one more problem of a status, unless the route leaves open which of them it may answer."""
    fresh = {"schema": _PROBLEM, "x-problems": []}
    response = responses.setdefault(str(kind.status), {"description": _DESCRIPTIONS[kind.status]})
    named = response.setdefault("content", {}).setdefault(PROBLEM_JSON, fresh).get("x-problems")
    if named is not None and kind.type not in named:
        named.append(kind.type)


def _finish(response: dict[str, Any], status: str, path: str) -> None:
    """Give a response its headers and, where it is a problem, an example of each type."""
    headers = response.setdefault("headers", {})
    headers.update(_REQUEST_ID)
    contents = response.get("content", {})
    for content in contents.values():
        if "x-example" in content:
            content["example"] = json.loads(content.pop("x-example"))
    content = contents.get(PROBLEM_JSON)
    if content is None:
        return
    content["schema"] = _PROBLEM
    named = content.pop("x-problems", None)
    kinds = [
        kind
        for kind in documented_problems()
        if (kind.type in named if named is not None else str(kind.status) == status)
    ]
    headers.update({name: _HEADERS[name] for kind in kinds for name in problem_headers(kind)})
    content["examples"] = {
        kind.type.rpartition("/")[2]: {"summary": kind.title, "value": problem_example(kind, path)} for kind in kinds
    }
