"""Checks uploads in a few threads, with the memory that decodes may use kept within a budget."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress

from gateway.errors import ImageTooLarge, Overloaded
from gateway.images.decoding import CheckedImage, check_pixels
from gateway.images.headers import Header, is_quick, read_header
from gateway.settings import Settings
from gateway.triton.release import Limits

# Below this a decode is not worth accounting for: a baseline JPEG of 12 megapixels takes less than 1 MB.
_UNCOUNTED_BYTES = 4 * 1024 * 1024
_MOST_WAIT_S = 2.0
"""For memory: less than a request's deadline, so that the answer tells a photo that only waited from one that is slow."""


Hold = Callable[[int], AbstractContextManager[None]]
"""Holds so many bytes of memory during a block."""


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

    def for_threads(self) -> Hold:
        """How other threads hold some of it, and all where they need more; to be called in the event loop."""
        loop = asyncio.get_running_loop()

        @contextmanager
        def hold(size: int) -> Iterator[None]:
            size = min(size, self.total_bytes)
            asyncio.run_coroutine_threadsafe(self.acquire(size), loop).result()
            try:
                yield
            finally:
                with suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(self.release, size)

        return hold


class ImageChecker:
    """Turns the bytes of an upload into bytes that Triton can decode, or refuses them.

    Args:
        memory: shared with others that decode; of its own where none is given.
    """

    def __init__(self, settings: Settings, memory: MemoryBudget | None = None) -> None:
        self._pool = ThreadPoolExecutor(settings.check_threads, thread_name_prefix="check")
        self._budget = memory or MemoryBudget(settings.decode_memory_bytes)
        self._most_pixels = settings.reduce_above_pixels

    async def check(self, data: bytes, limits: Limits) -> CheckedImage:
        """Check one upload fully, and make it smaller where it is very large.

        Args:
            data: the file as it arrived.
            limits: of the release that will answer.

        Raises:
            UnsupportedFormat, UnusableImage and its subclasses
            Overloaded: other photos use all the memory.
        """
        waiting_since = time.perf_counter()
        if is_quick(data):
            header = read_header(data, limits, self._most_pixels)
        else:
            loop = asyncio.get_running_loop()
            header = await loop.run_in_executor(self._pool, read_header, data, limits, self._most_pixels)
        needed = header.decode_bytes
        if needed > self._budget.total_bytes:
            raise ImageTooLarge(
                f"A {header.width}x{header.height} {header.format} of this kind takes too much memory to decode. "
                "Send it smaller, or as a baseline JPEG."
            )
        if needed < _UNCOUNTED_BYTES:
            needed = 0
        else:
            await self._take_memory(needed)
        decoding = self._pool.submit(_check, data, header, waiting_since)
        if needed:
            self._release_when_done(decoding, needed)
        return await asyncio.wrap_future(decoding)

    def close(self) -> None:
        """Wait for running checks and stop the threads."""
        self._pool.shutdown(cancel_futures=True)

    async def _take_memory(self, size: int) -> None:
        try:
            async with asyncio.timeout(_MOST_WAIT_S):
                await self._budget.acquire(size)
        except TimeoutError:
            raise Overloaded("Too many large photos are in work. Try again in a second.") from None

    def _release_when_done(self, decoding: Future[CheckedImage], size: int) -> None:
        """Memory is free when the thread is done, which may be after the request was given up."""
        loop = asyncio.get_running_loop()
        decoding.add_done_callback(lambda _: loop.call_soon_threadsafe(self._budget.release, size))


def _check(data: bytes, header: Header, waiting_since: float) -> CheckedImage:
    return check_pixels(data, header, queued_s=time.perf_counter() - waiting_since)
