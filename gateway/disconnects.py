"""Stops the work for a client that has gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive

from gateway.errors import ClientGone


@asynccontextmanager
async def cancelled_on_disconnect(receive: Receive) -> AsyncIterator[None]:
    """Cancel the block when the connection closes; use it once the body was read.

    A cancelled gRPC call is cancelled in Triton too.

    Raises:
        ClientGone: the client closed the connection.
    """
    task = asyncio.current_task()
    assert task is not None
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if gone and task.uncancel() == 0:
            raise ClientGone("The connection was closed before the answer was ready.") from None
        raise
    finally:
        watcher.cancel()
