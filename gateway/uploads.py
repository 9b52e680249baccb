"""Reads an upload: bytes are counted as they arrive, before any parser sees them, and all of it stays in memory."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import ClientDisconnect, Request

from gateway.errors import ClientGone, MalformedUpload, Overloaded, ReceiveTimeout, UploadTooLarge
from gateway.multipart import extract_file, multipart_boundary
from gateway.release import Limits
from gateway.settings import Settings

_FORM_ENVELOPE_BYTES = 64 * 1024  # boundaries, headers and small fields around the file


class Lease:
    """Bytes of the shared buffer that one upload holds."""

    __slots__ = ("held_bytes",)

    def __init__(self) -> None:
        self.held_bytes = 0


class UploadReader:
    """Reads request bodies under one shared limit of bytes."""

    def __init__(self, settings: Settings) -> None:
        self._timeout_s = settings.receive_timeout_s
        self._buffer_bytes = settings.upload_buffer_bytes
        self._held_bytes = 0

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        """Account for one upload until the block ends, since its bytes live as long."""
        lease = Lease()
        try:
            yield lease
        finally:
            self._held_bytes -= lease.held_bytes

    async def read(self, request: Request, limits: Limits, lease: Lease) -> bytes:
        """The uploaded file: the raw body, or the part `file` of a multipart form.

        Raises:
            UploadTooLarge: more than `limits.max_bytes`; early where Content-Length says so.
            Overloaded: the shared buffer is full.
            MalformedUpload, ReceiveTimeout, ClientGone
        """
        boundary = multipart_boundary(request.headers.get("content-type", ""))
        most = min(limits.max_bytes, self._buffer_bytes)
        most_received = most if boundary is None else most + _FORM_ENVELOPE_BYTES
        too_large = UploadTooLarge(
            f"An upload may have at most {most} bytes. Send a smaller or more strongly compressed image."
        )
        if int(request.headers.get("content-length", 0)) > most_received:
            raise too_large
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(self._timeout_s):
                async for chunk in request.stream():
                    if lease.held_bytes + len(chunk) > most_received:
                        raise too_large
                    if self._held_bytes + len(chunk) > self._buffer_bytes:
                        raise Overloaded("Too many uploads are arriving at once. Try again in a second.")
                    lease.held_bytes += len(chunk)
                    self._held_bytes += len(chunk)
                    chunks.append(chunk)
        except TimeoutError as error:
            raise ReceiveTimeout(f"The upload did not arrive within {self._timeout_s:g} seconds. Try again.") from error
        except ClientDisconnect as error:
            raise ClientGone("The connection was closed during the upload.") from error
        body = b"".join(chunks)
        data = body if boundary is None else extract_file(body, boundary)
        if not data:
            raise MalformedUpload("The upload is empty. Send the image as the body or as the form field `file`.")
        if len(data) > most:
            raise too_large
        return data
