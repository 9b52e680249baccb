"""Checks uploads in a few threads, with the memory that decodes may use kept within a budget."""

import asyncio
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from gateway.errors import ImageTooLarge
from gateway.images import check_pixels, read_header
from gateway.release import Limits
from gateway.settings import Settings

# Below this a decode is not worth accounting for: a baseline JPEG of 12 megapixels takes less than 1 MB.
_UNCOUNTED_BYTES = 4 * 1024 * 1024


class MemoryBudget:
    """A semaphore over bytes, first come first served."""

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self._free = total_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def acquire(self, size: int) -> None:
        """Wait until `size` bytes (at most `total_bytes`) are free, and take them."""
        if not self._waiting and size <= self._free:
            self._free -= size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # release() may have dropped it from the queue already
                    self._waiting.remove((size, turn))
                self.release(0)  # whoever stood behind may fit now
            else:  # granted and cancelled in the same moment
                self.release(size)
            raise

    def release(self, size: int) -> None:
        """Give `size` bytes back and wake those that now fit."""
        self._free += size
        while self._waiting and self._waiting[0][0] <= self._free:
            size, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= size
                turn.set_result(None)


class ImageChecker:
    """Turns the bytes of an upload into bytes that Triton can decode, or refuses them."""

    def __init__(self, settings: Settings) -> None:
        self._pool = ThreadPoolExecutor(settings.check_threads, thread_name_prefix="check")
        self._budget = MemoryBudget(settings.decode_memory_bytes)

    async def check(self, data: bytes, limits: Limits) -> bytes:
        """Check one upload fully.

        Args:
            data: the file as it arrived.
            limits: of the release that will answer.

        Returns:
            An image file that DALI reads: `data` itself, or a JPEG made from it.

        Raises:
            UnsupportedFormat, UnusableImage and its subclasses
        """
        header = read_header(data, limits)
        needed = header.decode_bytes
        if needed > self._budget.total_bytes:
            raise ImageTooLarge(
                f"A {header.width}x{header.height} {header.format} of this kind takes too much memory to decode. "
                "Send it smaller, or as a baseline JPEG."
            )
        if needed < _UNCOUNTED_BYTES:
            needed = 0
        else:
            await self._budget.acquire(needed)
        decoding = self._pool.submit(check_pixels, data, header)
        if needed:
            self._release_when_done(decoding, needed)
        return await asyncio.wrap_future(decoding)

    def close(self) -> None:
        """Wait for running checks and stop the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _release_when_done(self, decoding: Future[bytes], size: int) -> None:
        """Memory is free when the thread is done, which may be after the request was given up."""
        loop = asyncio.get_running_loop()
        decoding.add_done_callback(lambda _: loop.call_soon_threadsafe(self._budget.release, size))
