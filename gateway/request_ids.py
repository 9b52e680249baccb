"""The id by which a request is found again in answers, logs and traces."""

import random
import re

from starlette.datastructures import Headers

REQUEST_ID_HEADER = "X-Request-ID"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def request_id_of(headers: Headers) -> str:
    """The caller's id where it is well-formed, else a new one: it ends up in logs, headers and Triton's traces."""
    offered = headers.get(REQUEST_ID_HEADER, "")
    return offered if _WELL_FORMED.fullmatch(offered) else new_request_id()


def new_request_id() -> str:
    """32 hex digits."""
    return f"{random.getrandbits(128):032x}"
