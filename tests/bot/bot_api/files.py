"""Files on the server: photos in several sizes, documents, and what `getFile` makes of them."""

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from PIL import Image, UnidentifiedImageError

from bot_api.errors import ApiError, bad_request

MAX_DOWNLOAD_BYTES = 20 * 2**20
MAX_PHOTO_BYTES = 10 * 2**20
THUMBNAIL_SIDE = 90


@dataclass(frozen=True)
class StoredFile:
    """One file; `size` may be claimed, so that a test need not carry the bytes of a huge one."""

    file_id: str
    path: str
    data: bytes
    size: int

    @property
    def facts(self) -> dict[str, Any]:
        """What every object with a file says of it."""
        unique = hashlib.sha256(self.data + str(self.size).encode()).hexdigest()[:16]
        return {"file_id": self.file_id, "file_unique_id": f"AQAD{unique}", "file_size": self.size}


class Files:
    """All files by id and by path."""

    def __init__(self) -> None:
        self._by_id: dict[str, StoredFile] = {}
        self._by_path: dict[str, StoredFile] = {}

    def add(self, data: bytes, folder: str, suffix: str, size: int | None = None) -> StoredFile:
        """Keep a file."""
        number = len(self._by_id)
        digest = hashlib.sha256(f"{folder}/{number}".encode()).hexdigest()[:40]
        stored = StoredFile(
            f"AgACAgIAAxkBAAI{digest}", f"{folder}/file_{number}{suffix}", data, len(data) if size is None else size
        )
        self._by_id[stored.file_id] = self._by_path[stored.path] = stored
        return stored

    def photo(self, data: bytes) -> list[dict[str, Any]]:
        """`PhotoSize` objects, the smallest first; the largest is the file as it came."""
        width, height, small = _sizes(data)
        thumbnail = self.add(small, "thumbnails", ".jpg")
        full = self.add(data, "photos", ".jpg")
        share = THUMBNAIL_SIDE / max(width, height)
        return [
            {**thumbnail.facts, "width": max(1, round(width * share)), "height": max(1, round(height * share))},
            {**full.facts, "width": width, "height": height},
        ]

    def by_id(self, file_id: str) -> StoredFile:
        """Raises ApiError where there is none."""
        if file_id not in self._by_id:
            raise bad_request("invalid file_id" if file_id else "file_id not specified")
        return self._by_id[file_id]

    def downloadable(self, file_id: str) -> StoredFile:
        """Raises ApiError where it is above the limit of the hosted service."""
        stored = self.by_id(file_id)
        if stored.size > MAX_DOWNLOAD_BYTES:
            raise bad_request("file is too big")
        return stored

    def by_path(self, path: str) -> StoredFile:
        """Raises ApiError where there is none."""
        if path not in self._by_path:
            raise ApiError(404, "Not Found")
        return self._by_path[path]


def check_photo(data: bytes) -> None:
    """Raises ApiError where a bot sends what Telegram takes for no photo."""
    if len(data) > MAX_PHOTO_BYTES:
        raise bad_request(
            f"file of size {len(data)} bytes is too big for a photo; the maximum size is {MAX_PHOTO_BYTES} bytes"
        )
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
    except (UnidentifiedImageError, OSError):
        raise bad_request("IMAGE_PROCESS_FAILED") from None
    if width + height > 10_000 or max(width, height) > 20 * min(width, height):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")


@lru_cache(maxsize=256)
def _sizes(data: bytes) -> tuple[int, int, bytes]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            small = image.convert("RGB")
            small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    except (UnidentifiedImageError, OSError):  # a broken photo, as a test wants it
        width, height, small = 1280, 960, Image.new("RGB", (90, 68))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG")
    return width, height, buffer.getvalue()
