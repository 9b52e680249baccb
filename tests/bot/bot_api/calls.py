"""One call of a method, whichever way its parameters came: query, form, multipart or JSON."""

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from bot_api.errors import ApiError, bad_request

TRUE = ("true", "1", "yes", "y", "t")


@dataclass(frozen=True)
class Upload:
    """A file part of a multipart body."""

    file_name: str
    data: bytes


@dataclass(frozen=True)
class Call:
    """Parameters are strings where they came by form, and what JSON knows where the body was JSON."""

    method: str
    fields: dict[str, Any]
    uploads: dict[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The parameter, empty where it is missing."""
        value = self.fields.get(name, "")
        return value if isinstance(value, str) else json.dumps(value)

    def integer(self, name: str, default: int | None = None) -> int:
        """A number; without a default it has to be there."""
        try:
            return int(self.fields[name])
        except KeyError:
            if default is None:
                raise bad_request(f"parameter {name} is required") from None
            return default
        except (TypeError, ValueError):
            raise bad_request(f"parameter {name} is invalid") from None

    def flag(self, name: str) -> bool:
        """A boolean, false where it is missing."""
        return self.text(name).lower() in TRUE

    def parsed(self, name: str) -> Any:
        """An object or array that a form carries as JSON; None where it is missing or empty."""
        value = self.fields.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from None

    def shown(self) -> dict[str, Any]:
        """The parameters for a test to look at; files by their size."""
        files = {name: {"file_name": part.file_name, "size": len(part.data)} for name, part in self.uploads.items()}
        return {**self.fields, **files}


async def read_call(request: Request, method: str) -> Call:
    """Raises ApiError where the body is not what its content type says."""
    fields: dict[str, Any] = dict(request.query_params)
    uploads: dict[str, Upload] = {}
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        try:
            body = json.loads(await request.body() or b"{}")
        except ValueError:
            raise bad_request("can't parse JSON object") from None
        if not isinstance(body, dict):
            raise bad_request("object expected as JSON")
        fields |= body
    elif kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        async with request.form() as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    uploads[name] = Upload(value.filename or "", await value.read())
                else:
                    fields[name] = value
    elif await request.body():
        raise ApiError(400, "Bad Request: content type is not supported")
    return Call(method, fields, uploads)
