"""Finds the one `file` in a multipart form that is in memory already (RFC 7578)."""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.errors import MalformedUpload

_MOST_PARTS = 16


class _Parts:
    """Callbacks of the parser: collects the parts named `file`."""

    def __init__(self) -> None:
        self.files: list[bytes] = []
        self._field = b""
        self._headers: dict[bytes, bytes] = {}
        self._data: list[bytes] = []
        self.finished = False

    def on_part_begin(self) -> None:
        self._headers, self._data = {}, []

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field = data[start:end].lower()

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._headers[self._field] = data[start:end]

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def on_part_end(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"").decode("latin-1")
        if parse_options_header(disposition)[1].get(b"name") == b"file":
            self.files.append(b"".join(self._data))

    def on_end(self) -> None:
        self.finished = True


def multipart_boundary(content_type: str) -> bytes | None:
    """The boundary that a Content-Type declares; None where the body is not a form.

    Raises:
        MalformedUpload: a form without a boundary.
    """
    if not content_type[:20].lower().startswith("multipart/form-data"):
        return None
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not boundary:
        raise MalformedUpload("The Content-Type of a multipart form needs a boundary.")
    return boundary


def extract_file(body: bytes, boundary: bytes) -> bytes:
    """Contents of the part named `file`.

    Raises:
        MalformedUpload: no such part, more than one, too many parts, or a form that ends too early.
    """
    # Each delimiter costs interpreted code, and a hostile body could hold millions of them.
    if body.count(b"--" + boundary) > _MOST_PARTS + 1:
        raise MalformedUpload(f"The form has more than {_MOST_PARTS} parts. Send one part named `file`.")
    parts = _Parts()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": parts.on_part_begin,
                "on_header_field": parts.on_header_field,
                "on_header_value": parts.on_header_value,
                "on_part_data": parts.on_part_data,
                "on_part_end": parts.on_part_end,
                "on_end": parts.on_end,
            },
        )
        parser.write(body)
    except FormParserError as error:
        raise MalformedUpload(f"The multipart form is malformed: {error}.") from error
    if not parts.finished:
        raise MalformedUpload("The multipart form ends without its closing boundary. Send it again.")
    if len(parts.files) != 1:
        raise MalformedUpload(f"The form holds {len(parts.files)} parts named `file`. Send exactly one.")
    return parts.files[0]
