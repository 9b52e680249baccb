"""Delivery to a webhook: one update of a chat at a time, again until the bot says 2xx."""

import asyncio
import contextlib
import time
from collections.abc import Hashable
from typing import Any

import httpx2

from bot_api.faults import UPDATES, Faults
from bot_api.updates import Updates

FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 4.0
DELIVERY_TIMEOUT_S = 20.0


class Webhook:
    """Where updates go while it is set; the delays are a quarter of Telegram's, and capped.

    `proxies` says what stands behind an https address: the local one to which the requests go.
    """

    def __init__(self, updates: Updates, faults: Faults) -> None:
        self.url = ""
        self.secret = ""
        self.max_connections = 40
        self.error: dict[str, Any] = {}
        self.proxies: dict[str, str] = {}
        self._updates = updates
        self._faults = faults
        self._tasks: set[asyncio.Task[None]] = set()

    async def set(self, url: str, secret: str, max_connections: int) -> None:
        """Deliver there from now on; an empty URL stops it."""
        await self.stop()
        self.url, self.secret, self.max_connections, self.error = url, secret, max_connections, {}
        self._updates.webhook_is_set = bool(url)
        if url:
            self._start(self._deliver_all())

    async def stop(self) -> None:
        """End all deliveries; what was not confirmed stays pending."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver_all(self) -> None:
        running: dict[Hashable, list[dict[str, Any]]] = {}
        taken: set[int] = set()
        slots = asyncio.Semaphore(self.max_connections)
        async with httpx2.AsyncClient(timeout=DELIVERY_TIMEOUT_S, trust_env=False) as http:
            while True:
                for number, update in list(self._updates.pending.items()):
                    if number not in taken:
                        taken.add(number)
                        queue = running.setdefault(_chat(update), [])
                        queue.append(update)
                        if len(queue) == 1:
                            self._start(self._deliver_chat(http, queue, slots, running))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._updates.changed(), 0.05)

    async def _deliver_chat(
        self,
        http: httpx2.AsyncClient,
        queue: list[dict[str, Any]],
        slots: asyncio.Semaphore,
        running: dict[Hashable, list[dict[str, Any]]],
    ) -> None:
        chat = _chat(queue[0])
        while queue:
            if len(queue) > 1 and self._faults.drawn("getupdates", UPDATES[1:]):
                queue[0], queue[1] = queue[1], queue[0]
            await self._deliver(http, queue[0], slots)
            if self._faults.drawn("getupdates", UPDATES[:1]):
                await self._deliver(http, queue[0], slots)
            self._updates.pending.pop(queue.pop(0)["update_id"], None)
        del running[chat]

    async def _deliver(self, http: httpx2.AsyncClient, update: dict[str, Any], slots: asyncio.Semaphore) -> None:
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.secret} if self.secret else {}
        delay_s = FIRST_DELAY_S
        while True:
            try:
                async with slots:
                    reply = await http.post(self._address(), json=update, headers=headers)
                if reply.is_success:
                    return
                words = f"Wrong response from the webhook: {reply.status_code} {reply.reason_phrase}"
            except httpx2.TransportError as error:
                words = "Connection refused" if isinstance(error, httpx2.ConnectError) else "Read timeout expired"
            self.error = {"last_error_date": int(time.time()), "last_error_message": words}
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, LONGEST_DELAY_S)

    def _address(self) -> str:
        for public, local in self.proxies.items():
            if self.url.startswith(public):
                return local + self.url.removeprefix(public)
        return self.url


def _chat(update: dict[str, Any]) -> Hashable:
    content = next(value for name, value in update.items() if name != "update_id")
    return (content.get("message") or content)["chat"]["id"]
