"""What a request asks for beside its photos, and who asks."""

import uuid
from dataclasses import dataclass, field
from typing import Literal

from starlette.requests import Request

from gateway.access.caller import Caller

Kind = Literal["predict", "batch", "diagnosis"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The same for all photos of one request.

    Attributes:
        kind: of the route.
        request_id: as in logs and in Triton.
        caller: who asks.
        accept_language: header of that name, possibly empty.
        explain: whether an overlay of the evidence is wanted.
        keep_photo: whether the sender agrees that the photos are kept.
        group_id: of a batch or diagnosis, 32 hex digits; None for a single photo.
    """

    kind: Kind
    request_id: str
    caller: Caller
    accept_language: str = ""
    explain: bool = False
    keep_photo: bool = False
    group_id: str | None = field(default=None)


def ask(request: Request, kind: Kind, explain: bool = False, keep_photo: bool = False) -> Question:
    """The question that a request puts, in the name of the caller whom `require` has admitted: no route asks without."""
    return Question(
        kind=kind,
        request_id=request.state.request_id,
        caller=request.state.caller,
        accept_language=request.headers.get("accept-language", ""),
        explain=explain,
        keep_photo=keep_photo,
        group_id=None if kind == "predict" else uuid.uuid4().hex,
    )
