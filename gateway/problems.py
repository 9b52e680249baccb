"""From an exception to an `application/problem+json` answer (RFC 9457)."""

import json

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from gateway import errors
from gateway.errors import Problem


class ProblemBody(BaseModel):
    """The body of every answer with a status of 400 or more."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str


def problem_response(problem: Problem, *, instance: str, request_id: str) -> Response:
    """The answer for `problem`; `instance` is the path that was asked for."""
    body = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
        "request_id": request_id,
    }
    return Response(
        json.dumps(body, ensure_ascii=False),
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
    return problem_response(_as_problem(request, error), instance=request.url.path, request_id=request.state.request_id)


def _as_problem(request: Request, error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        return errors.InvalidRequest(f"Correct these parameters: {faults}.")
    if isinstance(error, HTTPException) and error.status_code == 404:
        return errors.NotFound(f"There is nothing at {request.url.path}; /openapi.json lists the routes.")
    if isinstance(error, HTTPException) and error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "")
        return errors.MethodNotAllowed(f"{request.method} is not possible here; use {allow}.", allow)
    raise error
