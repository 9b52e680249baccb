"""What a method refuses.

ApiError            an answer with `ok: false`
ConnectionCut       no answer: the connection is broken off (a fault that a test ordered)
"""

from typing import Any


class ApiError(Exception):
    """Becomes `{"ok": false, "error_code": ..., "description": ..., "parameters": ...}` with the same HTTP status."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code = code
        self.body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
        if parameters:
            self.body["parameters"] = parameters


class ConnectionCut(Exception):  # noqa: N818 - says what happens
    """Ends the connection without a byte of an answer."""


def bad_request(words: str) -> ApiError:
    """The most common refusal."""
    return ApiError(400, f"Bad Request: {words}")
