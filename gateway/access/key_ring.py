"""The keys as one process knows them: a copy of the table, so that no request waits for the database."""

import asyncio
import hmac
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.access.key_store import WELL_FORMED, StoredKey, hash_key, note_use, read_keys

log = structlog.get_logger()

T = TypeVar("T")

_NOTE_INTERVAL_S = 60.0
_NOBODY = "0" * 64


class KeyRing:
    """Looks keys up in the last copy of the table; while the database is down that copy stays."""

    def __init__(self, engine: Engine, interval_s: float) -> None:
        self._engine = engine
        self._interval_s = interval_s
        self._active: dict[str, StoredKey] = {}
        self._used: set[str] = set()
        self._thread = ThreadPoolExecutor(1, "keys")  # of its own: slow queries of others must not delay a revocation
        self._note_at = time.monotonic() + _NOTE_INTERVAL_S
        self._failing = False
        self.is_read = False
        self.any_made = False

    def find(self, key: str) -> StoredKey | None:
        """The stored key that `key` is, unless it is unknown or revoked; in the same time for any wrong secret."""
        match = WELL_FORMED.fullmatch(key)
        if match is None:
            return None
        stored = self._active.get(match[1])
        if not hmac.compare_digest(hash_key(key), stored.secret_sha256 if stored else _NOBODY):
            return None
        self._used.add(match[1])
        return stored

    async def follow(self) -> None:
        """Refresh every `interval_s` seconds, until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.refresh()
                if time.monotonic() > self._note_at:
                    self._note_at = time.monotonic() + _NOTE_INTERVAL_S
                    await self.note_uses()
            except Exception:
                log.exception("following the keys is defective")

    async def refresh(self) -> None:
        """Copy the table once; a failure is logged when it begins and when it ends."""
        try:
            keys = await self._run(read_keys, self._engine)
        except SQLAlchemyError as error:
            if not self._failing:
                log.warning("keys cannot be read; the last known stay valid", error=type(error).__name__)
            self._failing = True
            return
        if self._failing:
            log.info("keys can be read again")
        self._failing = False
        self._active = {key.id: key for key in keys if key.revoked_at is None}
        self.any_made = bool(keys)
        self.is_read = True

    async def close(self) -> None:
        """Write down the last uses and end the thread."""
        await self.note_uses()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def note_uses(self) -> None:
        """Write down which keys were used since the last time; lost, without waiting, where the database is down."""
        used, self._used = self._used, set()
        if used and not self._failing:
            try:
                await self._run(note_use, self._engine, used)
            except SQLAlchemyError as error:
                log.warning("use of keys not noted", error=type(error).__name__)

    async def _run(self, query: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, query, *arguments)
