"""The body of `POST /v1/feedback`: JSON, or a form with the same fields and the photo that may be kept."""

import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from gateway.errors import InvalidRequest, MalformedUpload
from gateway.records.feedback import Verdict
from gateway.uploads.multipart import multipart_boundary, parse_form
from gateway.uploads.reading import Lease, UploadReader

_MOST_PARTS = 16
_MAY_BE_EMPTY = ("class_key", "comment", "photo")  # a page sends the fields that nobody filled in, too
_MOST_FIELD_BYTES = 16 * 1024


class FeedbackBody(BaseModel):
    """What somebody says about one answer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "prediction_id": "5f0c6c9b8f6f4a0f9f8b1c2d3e4f5a6b",
                    "verdict": "wrong",
                    "class_key": "cmd",
                    "comment": "Typical mosaic on the young leaves.",
                }
            ]
        },
    )

    prediction_id: str = Field(pattern=r"^[0-9a-f]{32}$", description="From the reply to the photo.")
    verdict: Verdict = Field(description="Was the predicted class right?")
    class_key: str | None = Field(default=None, max_length=80, description="What it is instead, if known; a class key.")
    comment: str | None = Field(default=None, max_length=500)


class FeedbackForm(FeedbackBody):
    """The same fields, and the photo that was sent before, where its owner now lets it be kept."""

    keep_photo: bool = Field(default=False, description="May the photo be kept to learn from it?")
    photo: bytes | None = Field(
        default=None,
        description="The same file as before; passed over without keep_photo=true.",
        json_schema_extra={"type": "string", "format": "binary"},
    )


async def read_feedback(
    request: Request, uploads: UploadReader, most_photo_bytes: Callable[[], int], lease: Lease
) -> FeedbackForm:
    """The parsed body.

    Args:
        request: whose body is unread.
        uploads: counts the bytes as they arrive.
        most_photo_bytes: asked only for a form, since the release that says so may not be ready.
        lease: holds the body's bytes.

    Raises:
        InvalidRequest: a field is missing, unknown or not valid.
        NotReady, UploadTooLarge, Overloaded, MalformedUpload, ReceiveTimeout, ClientGone
    """
    boundary = multipart_boundary(request.headers.get("content-type", ""))
    most = _MOST_FIELD_BYTES + (0 if boundary is None else most_photo_bytes())
    body = await uploads.read_body(request, most, lease)
    fields = _json_fields(body) if boundary is None else _form_fields(body, boundary)
    try:
        return FeedbackForm.model_validate(fields)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}" for fault in error.errors())
        raise InvalidRequest(f"Correct these fields: {faults}.") from error


def _json_fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedUpload("The body is no JSON. Send a JSON object, or a multipart form.") from error
    if not isinstance(fields, dict):
        raise InvalidRequest("The body must be a JSON object with prediction_id and verdict.")
    if beside := {"photo", "keep_photo"} & fields.keys():
        raise InvalidRequest(f"Send {' and '.join(sorted(beside))} in a multipart form.")
    return fields


def _form_fields(body: bytes, boundary: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for part in parse_form(body, boundary, _MOST_PARTS):
        if part.name in fields:
            raise MalformedUpload(f"The form holds several parts named `{part.name}`. Send each once.")
        fields[part.name] = part.data if part.name == "photo" else part.data.decode("utf-8", "replace")
    return {name: value for name, value in fields.items() if value or name not in _MAY_BE_EMPTY}
