"""From an exception to an `application/problem+json` answer (RFC 9457)."""

import json
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from gateway import errors
from gateway.errors import Problem


class ProblemBody(BaseModel):
    """The body of every answer with a status of 400 or more."""

    type: str = Field(description="Stable; what programs should look at.")
    title: str = Field(description="The same for every problem of the type.")
    status: int = Field(description="The HTTP status.", ge=400, le=599)
    detail: str = Field(description="What to do about it, for people.")
    instance: str = Field(description="The path that was asked for.")
    request_id: str = Field(description="As in the log and in the header X-Request-ID.")


def problem_body(problem: Problem, *, instance: str, request_id: str) -> dict[str, Any]:
    """The body of the answer for `problem`, also where it stands inside another answer."""
    return {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
        "request_id": request_id,
        **problem.extensions,
    }


def problem_response(problem: Problem, *, instance: str, request_id: str) -> Response:
    """The answer for `problem`; `instance` is the path that was asked for."""
    return Response(
        json.dumps(problem_body(problem, instance=instance, request_id=request_id), ensure_ascii=False),
        status_code=problem.status,
        headers=problem.headers,
        media_type="application/problem+json",
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Answer this room's problems and the framework's own errors in one form.

    What else escapes from a route is a defect: the request middleware logs it and answers InternalError.
    """
    app.add_exception_handler(Problem, _answer_problem)
    app.add_exception_handler(RequestValidationError, _answer_problem)
    app.add_exception_handler(HTTPException, _answer_problem)


async def _answer_problem(request: Request, error: Exception) -> Response:
    problem = _as_problem(request, error)
    request.state.problem = problem.type  # for the log and the metrics
    return problem_response(problem, instance=request.url.path, request_id=request.state.request_id)


def _as_problem(request: Request, error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        return errors.InvalidRequest(f"Correct these parameters: {faults}.")
    if isinstance(error, HTTPException) and error.status_code == 404:
        return errors.NotFound(f"There is nothing at {request.url.path}; /openapi.json lists the routes.")
    if isinstance(error, HTTPException) and error.status_code == 405:
        allow = ", ".join(_methods(request, (error.headers or {}).get("Allow", "")))
        return errors.MethodNotAllowed(f"{request.method} is not possible here; use {allow}.", allow)
    if isinstance(error, HTTPException) and error.status_code == 400:
        return errors.MalformedRequest("The body cannot be read. Send valid JSON in UTF-8.")
    raise error


def _methods(request: Request, of_one_route: str) -> list[str]:
    """All methods of an address; the framework knows those of one route, and each method may be a route of its own."""
    template = getattr(request.scope.get("route"), "path", "")
    described = request.app.openapi()["paths"].get(template, {})
    return sorted({*filter(None, of_one_route.split(", ")), *map(str.upper, described)})
