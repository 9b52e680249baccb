"""Reads uploads: bytes are counted as they arrive, before any parser sees them, and all of them stay in memory."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import ClientDisconnect, Request

from gateway.errors import ClientGone, MalformedUpload, Overloaded, RateLimited, UploadTooLarge
from gateway.settings import Settings
from gateway.triton.release import Limits
from gateway.uploads.multipart import Upload, extract_file, extract_files, multipart_boundary
from gateway.uploads.pace import Arrival, Pace

_FORM_ENVELOPE_BYTES = 64 * 1024  # boundaries, headers and small fields around the files
_UPLOADS_OF_ONE_CALLER = 256


class _Share:
    """What the uploads of one caller hold together."""

    __slots__ = ("held_bytes", "uploads")

    def __init__(self) -> None:
        self.uploads = 0
        self.held_bytes = 0


class Lease:
    """Bytes of the shared buffer that one request holds."""

    __slots__ = ("held_bytes", "share")

    def __init__(self, share: _Share) -> None:
        self.share = share
        self.held_bytes = 0


class UploadReader:
    """Reads request bodies under one limit of bytes for all callers, a lower one for each, and a minimum of speed.

    One caller may hold a quarter of the buffer, or the largest request where that is more: nobody fills it alone.
    """

    def __init__(self, settings: Settings) -> None:
        self._pace = Pace(settings)
        self._buffer_bytes = settings.upload_buffer_bytes
        self._group_bytes = settings.group_max_bytes
        share_bytes = max(settings.upload_buffer_bytes // 4, settings.group_max_bytes + _FORM_ENVELOPE_BYTES)
        self._share_bytes = min(share_bytes, settings.upload_buffer_bytes)
        self._share_uploads = max(_UPLOADS_OF_ONE_CALLER, settings.max_in_flight)
        self._held_bytes = 0
        self._shares: dict[str, _Share] = {}

    @contextmanager
    def lease(self, identity: str) -> Iterator[Lease]:
        """Account for one request of a caller until the block ends, since its bytes live as long.

        Raises:
            RateLimited: too many of its uploads are arriving or in work.
        """
        share = self._shares.get(identity)
        if share is None:
            share = self._shares[identity] = _Share()
        elif share.uploads >= self._share_uploads:
            raise RateLimited(
                f"You send more than {self._share_uploads} uploads at once. Wait until some are answered.", 1
            )
        share.uploads += 1
        lease = Lease(share)
        try:
            yield lease
        finally:
            share.uploads -= 1
            share.held_bytes -= lease.held_bytes
            self._held_bytes -= lease.held_bytes
            if not share.uploads:
                del self._shares[identity]

    async def read_body(self, request: Request, most: int, lease: Lease) -> bytes:
        """The whole body, of `most` bytes at most, whatever it holds.

        Raises:
            UploadTooLarge, Overloaded, RateLimited, ReceiveTimeout, ClientGone
        """
        most = min(most, self._buffer_bytes)
        too_large = UploadTooLarge(f"This request may have at most {most} bytes.")
        return await self._receive(request, most, too_large, lease)

    async def read_one(self, request: Request, limits: Limits, lease: Lease) -> Upload:
        """The uploaded file: the raw body, or the part `file` of a multipart form.

        Raises:
            UploadTooLarge: more than `limits.max_bytes`; early where Content-Length says so.
            Overloaded: the shared buffer is full.
            RateLimited: the caller's part of it is.
            MalformedUpload, ReceiveTimeout, ClientGone
        """
        boundary = multipart_boundary(request.headers.get("content-type", ""))
        most = min(limits.max_bytes, self._buffer_bytes)
        too_large = UploadTooLarge(
            f"An upload may have at most {most} bytes. Send a smaller or more strongly compressed image."
        )
        body = await self._receive(request, most if boundary is None else most + _FORM_ENVELOPE_BYTES, too_large, lease)
        upload = Upload(body) if boundary is None else extract_file(body, boundary)
        if not upload.data:
            raise MalformedUpload("The upload is empty. Send the image as the body or as the form field `file`.")
        if len(upload.data) > most:
            raise too_large
        return upload

    async def read_several(self, request: Request, most_photos: int, lease: Lease) -> list[Upload]:
        """The files of a form, 1 to `most_photos`; whether each is empty or too large is for the caller to judge.

        Raises:
            UploadTooLarge: more than `group_max_bytes` together; early where Content-Length says so.
            TooManyPhotos: more than `most_photos`.
            Overloaded: the shared buffer is full.
            RateLimited: the caller's part of it is.
            MalformedUpload, ReceiveTimeout, ClientGone
        """
        boundary = multipart_boundary(request.headers.get("content-type", ""))
        if boundary is None:
            raise MalformedUpload(f"Send the photos as a multipart form of 1 to {most_photos} parts named `file`.")
        most = min(self._group_bytes, self._buffer_bytes)
        too_large = UploadTooLarge(
            f"The photos of one request may have at most {most} bytes together. Send fewer at once, or smaller ones."
        )
        body = await self._receive(request, most + _FORM_ENVELOPE_BYTES, too_large, lease)
        return extract_files(body, boundary, most_photos)

    async def _receive(self, request: Request, most: int, too_large: UploadTooLarge, lease: Lease) -> bytes:
        if int(request.headers.get("content-length", 0)) > most:
            raise too_large
        chunks: list[bytes] = []
        alarm = asyncio.timeout(None)
        arrival = Arrival(self._pace, alarm, self._is_filling)
        try:
            async with alarm:
                async for chunk in request.stream():
                    self._take(len(chunk), most, too_large, lease)
                    chunks.append(chunk)
                    arrival.note(len(chunk))
        except TimeoutError as error:
            raise arrival.problem from error
        except ClientDisconnect as error:
            raise ClientGone("The connection was closed during the upload.") from error
        finally:
            arrival.end()
        return b"".join(chunks)

    def _take(self, size: int, most: int, too_large: UploadTooLarge, lease: Lease) -> None:
        if lease.held_bytes + size > most:
            raise too_large
        if self._held_bytes + size > self._buffer_bytes:
            raise Overloaded("Too many uploads are arriving at once. Try again in a second.")
        if lease.share.held_bytes + size > self._share_bytes:
            raise RateLimited("Your uploads together are too large. Wait until some are answered.", 1)
        lease.held_bytes += size
        lease.share.held_bytes += size
        self._held_bytes += size

    def _is_filling(self) -> bool:
        return self._held_bytes * 2 > self._buffer_bytes
