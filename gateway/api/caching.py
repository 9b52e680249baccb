"""Answers that stay the same until the release changes: a client that has one may ask whether it still holds."""

import hashlib
import json
from typing import Any

from fastapi import Request, Response


def revalidated_json(request: Request, body: dict[str, Any], language: str | None = None) -> Response:
    """`body` with an `ETag`, or 304 where `If-None-Match` names it (RFC 9110, section 13.1.2).

    Args:
        language: of the names in it, where they depend on `Accept-Language`.
    """
    data = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if language is not None:
        headers |= {"Content-Language": language, "Vary": "Accept-Language"}
    known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="application/json", headers=headers)
