"""Turns uploads into kept photos in a thread of its own, one at a time: decoding takes long and much memory."""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext

import structlog

from gateway.images.checking import Hold
from gateway.records.photos import PhotoStore, memory_needed

log = structlog.get_logger()


class PhotoKeeper:
    """A bounded queue of photos in front of a `PhotoStore`."""

    def __init__(
        self,
        store: PhotoStore,
        most_bytes: int,
        done: Callable[[str, bool], None],
        hold_memory: Hold | None = None,
    ) -> None:
        """Start the thread.

        Args:
            store: where photos are kept.
            most_bytes: of uploads that wait.
            done: called in the thread with the prediction id and whether its photo is there now.
            hold_memory: of the budget of all decodes, where there is one.
        """
        self._store = store
        self._most_bytes = most_bytes
        self._done = done
        self._hold_memory = hold_memory or (lambda _: nullcontext())
        self._queue: deque[tuple[str, bytes]] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="photos", daemon=True)
        self._thread.start()

    def put(self, prediction_id: str, data: bytes) -> bool:
        """Have a photo kept soon; False where there is no room for it."""
        with self._changed:
            if self._closing or self._bytes + len(data) > self._most_bytes:
                return False
            self._queue.append((prediction_id, data))
            self._bytes += len(data)
            self._changed.notify()
            return True

    def close(self, deadline: float) -> int:
        """Finish what waits until `deadline` (`time.monotonic()`); returns how many photos are lost."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(max(0.0, deadline - time.monotonic()))
        with self._changed:
            lost = len(self._queue)
            self._queue.clear()
        return lost

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    return
                prediction_id, data = self._queue[0]
            kept = self._keep(prediction_id, data)
            with self._changed:
                if not self._queue:  # given up meanwhile
                    return
                self._queue.popleft()
                self._bytes -= len(data)
            self._done(prediction_id, kept)

    def _keep(self, prediction_id: str, data: bytes) -> bool:
        try:
            with self._hold_memory(memory_needed(data)):
                self._store.keep(prediction_id, data)
        except Exception as error:  # image libraries raise nearly anything, and the disk may be full
            log.error("photo not kept", prediction_id=prediction_id, reason=f"{type(error).__name__}: {error}")
            return False
        return True
