"""What can go wrong between a program and the gateway.

GatewayError
├── Refused       the answer is a problem (RFC 9457), or not the gateway's at all
└── Unreachable   no answer: connection refused, broken or too slow
"""

from typing import Any


class GatewayError(Exception):
    """Any failure of a call."""


class Refused(GatewayError):  # noqa: N818 - says what happened
    """The gateway's own `application/problem+json`; `detail` is a sentence fit for a person.

    Attributes:
        status: HTTP status; `type` is about:blank where the body was no problem.
        type: stable path such as `/problems/undecodable-image`.
        retry_after_s: seconds to wait before the same request may succeed; None where it never will.
        request_id: to be named in a report.
        extensions: further members of the problem, e.g. `photos` of a diagnosis.
    """

    def __init__(self, status: int, body: dict[str, Any], retry_after_s: float | None) -> None:
        self.status = status
        self.type = str(body.get("type", "about:blank"))
        self.title = str(body.get("title", ""))
        self.detail = str(body.get("detail", ""))
        self.request_id = str(body.get("request_id", ""))
        self.retry_after_s = retry_after_s
        known = {"type", "title", "status", "detail", "instance", "request_id"}
        self.extensions = {key: value for key, value in body.items() if key not in known}
        super().__init__(f"{status} {self.title}: {self.detail}")


class Unreachable(GatewayError):  # noqa: N818 - says what happened
    """No answer arrived; whether the request was worked on is unknown unless the connection failed."""
