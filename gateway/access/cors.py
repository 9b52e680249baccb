"""Which other sites' pages may call the API from a browser."""

import structlog
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from gateway.errors import OriginRefused
from gateway.problems import problem_response
from gateway.request_ids import REQUEST_ID_HEADER, request_id_of
from gateway.settings import Settings

log = structlog.get_logger()

_SENT = ("Authorization", "Content-Type", "If-None-Match", "X-API-Key", "X-End-User", REQUEST_ID_HEADER, "traceparent")
_READ = ("ETag", REQUEST_ID_HEADER, "RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate")


class _Cors(CORSMiddleware):
    """Starlette's, whose refusals are plain text, with refusals in the form of all others."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """What a browser asks before a page of another origin may call."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        told = bytes(answer.body).decode()
        refusal = OriginRefused(f"{told}. GATEWAY_CORS_ORIGINS names the sites whose pages may call.")
        request_id = request_id_of(request_headers)
        log.info("preflight refused", reason=told, request_id=request_id)
        response = problem_response(refusal, instance="*", request_id=request_id)
        response.headers[REQUEST_ID_HEADER] = request_id
        return response


def add_cors(app: FastAPI, settings: Settings) -> None:
    """Let the pages of `cors_origins` call; nobody is named by default, and then no header is sent at all.

    Call it after all other middleware is there: pages shall be able to read the answers of that, too.
    Credentials mode stays off: there are no cookies, and a key is a header that the page sends itself.
    """
    if settings.cors_origins:
        app.add_middleware(
            _Cors,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=list(_SENT),
            expose_headers=list(_READ),
            max_age=600,
        )
