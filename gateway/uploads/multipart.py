"""Takes apart a multipart form that is in memory already (RFC 7578)."""

import re
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.errors import MalformedUpload, TooManyPhotos

FILE = "file"
FILES = "files"

_OTHER_PARTS = 15
"""Parts that a form may have beside its files; they are not read."""
_LONGEST_FILE_NAME = 255
_PATH = re.compile(r".*[/\\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file as it was sent; its name is the client's word, without any path, and may be missing."""

    data: bytes
    file_name: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form; names are the client's word."""

    name: str
    data: bytes
    file_name: str | None


class _Parts:
    """Callbacks of the parser: collects the parts."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.finished = False
        self._field = b""
        self._headers: dict[bytes, bytes] = {}
        self._data: list[bytes] = []

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
        options = parse_options_header(disposition)[1]
        name = options.get(b"name", b"").decode("utf-8", "replace")
        self.parts.append(Part(name, b"".join(self._data), _file_name(options.get(b"filename"))))

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


def extract_file(body: bytes, boundary: bytes) -> Upload:
    """The one part named `file`.

    Raises:
        MalformedUpload: no such part, more than one, too many parts, or a form that ends too early.
    """
    files = _files(body, boundary, (FILE,), 1)
    if len(files) != 1:
        raise MalformedUpload(f"The form holds {len(files)} parts named `{FILE}`. Send exactly one.")
    return files[0]


def extract_files(body: bytes, boundary: bytes, most: int) -> list[Upload]:
    """The parts named `file` or `files`, in their order: 1 to `most`, some perhaps empty.

    Raises:
        TooManyPhotos: more than `most`.
        MalformedUpload: none, too many other parts, or a form that ends too early.
    """
    files = _files(body, boundary, (FILE, FILES), most)
    if len(files) > most:
        raise TooManyPhotos(f"The form holds {len(files)} photos. Send at most {most} at once.")
    if not files:
        raise MalformedUpload(f"The form holds no photo. Send 1 to {most} parts named `{FILE}`.")
    return files


def parse_form(body: bytes, boundary: bytes, most_parts: int) -> list[Part]:
    """All parts, in their order.

    Raises:
        MalformedUpload: more than `most_parts`, no form, or one that ends too early.
    """
    # Each delimiter costs interpreted code, and a hostile body could hold millions of them.
    if body.count(b"--" + boundary) > most_parts + 1:
        raise MalformedUpload(f"The form has more than {most_parts} parts. Send fewer.")
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
    return parts.parts


def _files(body: bytes, boundary: bytes, names: tuple[str, ...], most: int) -> list[Upload]:
    parts = parse_form(body, boundary, most + _OTHER_PARTS)
    return [Upload(part.data, part.file_name) for part in parts if part.name in names]


def _file_name(sent: bytes | None) -> str | None:
    """What is left of a name that may be anything: its last part, printable, of bounded length."""
    if sent is None:
        return None
    name = _PATH.sub("", sent.decode("utf-8", "replace"))
    return "".join(letter for letter in name if letter.isprintable())[:_LONGEST_FILE_NAME] or None
