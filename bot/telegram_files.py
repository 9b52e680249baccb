"""Files that people sent, fetched from Telegram into memory: bounded in bytes, with a deadline, tried again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Self
from urllib.parse import quote, urlsplit, urlunsplit

import httpx2
from telegram import Bot, Document, Message, PhotoSize
from telegram.constants import FileSizeLimit
from telegram.error import BadRequest

from bot.calling import Calling
from bot.errors import FileGoneError, FileTooLargeError, FileUnreachableError

MOST_BYTES = int(FileSizeLimit.FILESIZE_DOWNLOAD)
"""That bots may download, 20 MB."""
MEGABYTES = MOST_BYTES // 1_000_000
_TRIES = 5
_DOWNLOADS = 32
_FIRST_PAUSE_S = 0.3


def picture_of(message: Message) -> PhotoSize | Document | None:
    """The largest size of a message's photo, or the file sent with it; None where it has neither.

    Whether a file is a picture is for the gateway to see, by its bytes: what senders call it says little.
    """
    if message.photo:
        return max(message.photo, key=lambda size: size.width * size.height)
    return message.document if message.document is not None and message.animation is None else None


class Files:
    """Downloads; use as `async with`.

    Args:
        timeout_s: of one attempt.
        most_bytes: held at once.
    """

    def __init__(self, bot: Bot, calling: Calling, timeout_s: float, most_bytes: int) -> None:
        self._bot = bot
        self._calling = calling
        self._timeout_s = timeout_s
        self._http = httpx2.AsyncClient(timeout=timeout_s)
        self._turns = asyncio.Semaphore(_DOWNLOADS)
        self._free_bytes = most_bytes
        self._given_back = asyncio.Condition()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    @asynccontextmanager
    async def room_for(self, files: Sequence[PhotoSize | Document]) -> AsyncIterator[None]:
        """Wait until there is memory for the files; they may be held while the block lasts."""
        size = sum(min(file.file_size or MOST_BYTES, MOST_BYTES) for file in files)
        async with self._given_back:
            await self._given_back.wait_for(lambda: self._free_bytes >= size)
            self._free_bytes -= size
        try:
            yield
        finally:
            self._free_bytes += size
            async with self._given_back:
                self._given_back.notify_all()

    async def fetch(self, file: PhotoSize | Document) -> bytes:
        """The file's bytes.

        Raises:
            FileTooLargeError: more than bots may download.
            FileGoneError: Telegram does not hand it out.
            FileUnreachableError: it did not answer, or broke off, too often.
            telegram.error.TelegramError: Telegram did not say where it lies.
        """
        if (file.file_size or 0) > MOST_BYTES:
            raise FileTooLargeError(f"{file.file_size} bytes")
        try:
            told = await self._calling.call(lambda: self._bot.get_file(file.file_id))
        except BadRequest as error:
            too_big = "too big" in str(error).lower()
            raise (FileTooLargeError if too_big else FileGoneError)(str(error)) from error
        if not told.file_path:
            raise FileGoneError("Telegram names no path")
        return await self._download(_encoded(told.file_path))

    async def _download(self, url: str) -> bytes:
        pause_s = _FIRST_PAUSE_S
        for left in reversed(range(_TRIES)):
            try:
                async with self._turns, asyncio.timeout(self._timeout_s):
                    return await self._read(url)
            except httpx2.HTTPStatusError as error:
                status = error.response.status_code
                if status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS:
                    raise FileGoneError(
                        f"HTTP status {status}"
                    ) from None  # the cause names the address, with the token
                reason = f"HTTP status {status}"
            except (httpx2.TransportError, TimeoutError) as error:
                reason = type(error).__name__
            if not left:
                raise FileUnreachableError(f"{_TRIES} tries, the last one: {reason}")
            await asyncio.sleep(pause_s)
            pause_s *= 2
        raise AssertionError("the last try returns or raises")

    async def _read(self, url: str) -> bytes:
        async with self._http.stream("GET", url) as reply:
            reply.raise_for_status()
            data = bytearray()
            async for chunk in reply.aiter_bytes():
                data += chunk
                if len(data) > MOST_BYTES:
                    raise FileTooLargeError(f"more than {MOST_BYTES} bytes")
            return bytes(data)


def _encoded(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=quote(parts.path, safe="/:")))
