"""Writes what was answered beside the answers: a thread of its own, one transaction for each flush interval."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import islice

import structlog
from sqlalchemy import Engine

from gateway.images.checking import Hold
from gateway.records.entry import PredictionEntry
from gateway.records.keeping import PhotoKeeper
from gateway.records.photos import PhotoStore, is_keepable
from gateway.records.writing import BatchWriter, DatabaseDownError, KeptPhoto, Written
from gateway.settings import Settings

log = structlog.get_logger()

_BATCH = 500
_LONGEST_PAUSE_S = 2.0
_FLUSH_TIMEOUT_S = 2.0


class Recorder:
    """Takes entries without ever blocking or raising; one for each worker process.

    Entries wait in memory, `record_queue` at most, and are in the database after about `flush_interval_s`. While it is
    down they keep waiting and are tried again; what does not fit any more is dropped and counted.

    Attributes:
        written: entries in the database.
        dropped: entries lost: no room, refused by the database, or left over at the end.
        photos_dropped: photos that were to be kept and are not.
    """

    def __init__(self, settings: Settings, engine: Engine, hold_memory: Hold | None = None) -> None:
        self.written = 0
        self.dropped = 0
        self.photos_dropped = 0
        self._most = settings.record_queue
        self._interval_s = settings.flush_interval_s
        self._close_s = settings.record_close_s
        self._queue: deque[PredictionEntry | KeptPhoto] = deque()
        self._changed = threading.Condition()
        self._taken = 0  # entries that ever came into the queue
        self._settled = 0  # of these written or refused
        self._flushes: list[tuple[int, Callable[[], None]]] = []
        self._closing = False
        self._give_up_at = float("inf")
        self._photos = PhotoStore(settings.data_dir / "photos", settings.photos_min_free_bytes)
        self._writer = BatchWriter(engine, self._photos)
        self._keeper = PhotoKeeper(self._photos, settings.record_queue_bytes, self._photo_done, hold_memory)
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Entries that are not in the database yet."""
        return self._taken - self._settled

    def put(self, entry: PredictionEntry) -> None:
        """Remember one answer; returns at once, whatever the state of the database."""
        with self._changed:
            if self._closing or self.waiting >= self._most:
                self.dropped += 1
                return
            self._taken += 1
            # A photo goes its own way: rows must not wait for pictures.
            self._append(entry if entry.photo is None else replace(entry, photo=None))
        if entry.photo is not None and not self._keeper.put(entry.prediction_id, entry.photo):
            self._photo_done(entry.prediction_id, kept=False)

    async def keep_photo(self, prediction_id: str, photo: bytes, width: int, height: int) -> bool:
        """Keep the photo, of so many pixels, of a prediction whose row is there already.

        False where it is too large to be decoded in passing, or there is no room for it now; it is counted then.
        """
        kept = is_keepable(photo, width, height) and await asyncio.to_thread(self._has_room)
        if not kept or not self._keeper.put(prediction_id, photo):
            self._photo_done(prediction_id, kept=False)
            return False
        return True

    async def flush(self, timeout_s: float = _FLUSH_TIMEOUT_S) -> bool:
        """Have everything put so far written now; False where that was not done in time."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(done.set)

        with self._changed:
            if self.waiting == 0:
                return True
            self._flushes.append((self._taken, wake))
            self._changed.notify()
        try:
            await asyncio.wait_for(done.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Write everything that waits, in `record_close_s` at most; what is lost then is counted and logged."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        started = time.monotonic()
        self._give_up_at = started + self._close_s
        lost_photos = self._keeper.close(started + self._close_s / 2)
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(self._close_s)  # a call that hangs in the driver must not hold up the end
        with self._changed:
            lost = self.waiting
            self._settled += lost
            self.dropped += lost
            self.photos_dropped += lost_photos
        if lost or lost_photos:
            log.error("records lost at the end", predictions=lost, photos=lost_photos)

    def _has_room(self) -> bool:
        try:
            return self._photos.has_room()
        except OSError:  # the keeper would say why
            return False

    def _append(self, item: PredictionEntry | KeptPhoto) -> None:
        self._queue.append(item)
        if len(self._queue) in (1, _BATCH):  # else the thread is awake already, or about to be
            self._changed.notify()

    def _photo_done(self, prediction_id: str, kept: bool) -> None:
        with self._changed:
            if kept:
                self._append(KeptPhoto(prediction_id))
            else:
                self.photos_dropped += 1

    def _run(self) -> None:
        pause_s = 0.0
        while (batch := self._next_batch(pause_s)) is not None:
            try:
                result = self._writer.write(batch)
            except DatabaseDownError as error:
                if not pause_s:
                    log.error("database down, predictions wait", reason=error.reason, waiting=self.waiting)
                pause_s = min(max(pause_s * 2, self._interval_s), _LONGEST_PAUSE_S)
            except Exception:
                log.exception("the recorder is defective")
                pause_s = _LONGEST_PAUSE_S
            else:
                if pause_s:
                    log.info("database back", waiting=self.waiting)
                pause_s = 0.0
                self._settle(len(batch), result)

    def _next_batch(self, pause_s: float) -> list[PredictionEntry | KeptPhoto] | None:
        """What to write next, after the right pause; None at the end. It stays in the queue until it is settled."""
        with self._changed:
            if pause_s:
                if self._closing and time.monotonic() + self._interval_s > self._give_up_at:
                    return None
                self._changed.wait_for(lambda: self._closing, min(pause_s, self._until_given_up()))
                if self._closing:  # the last tries come quickly
                    self._changed.wait(min(self._interval_s, self._until_given_up()))
            else:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    return None
                # Half of the interval to gather, the rest to write.
                self._changed.wait_for(
                    lambda: self._flushes or self._closing or len(self._queue) >= _BATCH, self._interval_s / 2
                )
            return list(islice(self._queue, _BATCH))

    def _until_given_up(self) -> float:
        return max(0.0, self._give_up_at - time.monotonic())

    def _settle(self, items: int, result: Written) -> None:
        with self._changed:
            for _ in range(items):
                self._queue.popleft()
            self._settled += result.written + result.refused
            self.written += result.written
            self.dropped += result.refused
            ready = [wake for taken, wake in self._flushes if taken <= self._settled]
            self._flushes = [(taken, wake) for taken, wake in self._flushes if taken > self._settled]
        for wake in ready:
            wake()
