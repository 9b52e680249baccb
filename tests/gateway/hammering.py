"""Raw HTTP clients that notice every answer that is cut off, which a client library would retry or rename."""

import asyncio
import collections
import contextlib


def request_bytes(body: bytes, path: str = "/v1/predict", close: bool = True) -> bytes:
    """A POST as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + (b"Connection: close\r\n\r\n" if close else b"\r\n") + body


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Status, header fields by lower-case name, and body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.rstrip().split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), fields, await reader.readexactly(int(fields["content-length"]))


async def hammer(
    port: int, body: bytes, stop: asyncio.Event, outcomes: collections.Counter[str], keep_alive: bool = False
) -> None:
    """Send one request after the other until `stop`; count statuses, `refused` connections and `lost` answers."""
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    while not stop.is_set():
        if writer is None or reader is None:
            try:
                reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 5)
            except (OSError, TimeoutError):
                outcomes["refused"] += 1
                await asyncio.sleep(0.05)
                continue
        try:
            writer.write(request_bytes(body, close=not keep_alive))
            status, fields, _ = await asyncio.wait_for(read_answer(reader), 15)
            outcomes[str(status)] += 1
            done = fields.get("connection") == "close"
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            outcomes["lost"] += 1
            done = True
        if done:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            writer = None
    if writer is not None:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
