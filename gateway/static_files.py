"""Files that browsers load from the gateway: compressed once, revalidated by ETag, fenced in by their headers."""

import gzip
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

REVALIDATED = "no-cache"
FOR_EVER = "public, max-age=31536000, immutable"
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_CONTENT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": _CONTENT,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",  # a file input opens the camera without them
    # not no-referrer: without TLS browsers send no Sec-Fetch-Site, and the page's token is given by Referer
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
OWN_SCRIPTS = SECURITY_HEADERS | {
    "Content-Security-Policy": f"{_CONTENT}; require-trusted-types-for 'script'; trusted-types 'none'"
}
"""For pages whose scripts are all ours: none of them turns text into markup."""


@dataclass(frozen=True)
class StaticFile:
    """One file; `etag` changes with its content."""

    content: bytes
    media_type: str

    @cached_property
    def compressed(self) -> bytes:
        """The content as gzip."""
        return gzip.compress(self.content, 9, mtime=0)

    @cached_property
    def etag(self) -> str:
        """A weak validator, since it stands for the plain and the compressed form."""
        return f'W/"{digest(self.content)}"'


def read_files(paths: Iterable[Path]) -> dict[str, StaticFile]:
    """The files by name."""
    return {path.name: StaticFile(path.read_bytes(), _MEDIA_TYPES[path.suffix]) for path in sorted(paths)}


def digest(content: bytes) -> str:
    """16 hex digits that change with the content."""
    return hashlib.sha256(content).hexdigest()[:16]


def file_response(
    request: Request, file: StaticFile, headers: Mapping[str, str] = OWN_SCRIPTS, caching: str = REVALIDATED
) -> Response:
    """The file, compressed where the browser takes it so, or 304 where it has it."""
    told = {**headers, "ETag": file.etag, "Cache-Control": caching, "Vary": "Accept-Encoding"}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=told)
    content = file.content
    if "gzip" in request.headers.get("accept-encoding", ""):
        content = file.compressed
        told["Content-Encoding"] = "gzip"
    return Response(content, media_type=file.media_type, headers=told)
