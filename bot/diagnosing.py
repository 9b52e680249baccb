"""The gateway's answers, with patience: busy or absent, it is asked again for a while."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import structlog

from bot.metrics import Metrics
from client import Diagnosis, GatewayClient, GatewayError, Prediction, Refused

log = structlog.get_logger()

T = TypeVar("T")
Notice = Callable[[], Awaitable[None]]

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_TELL_AFTER_S = 3.0
_CLASSES_AGE_S = 300.0
_SIDE_QUESTION_S = 5.0
_WITHOUT_STATUS_S = 15.0  # nothing tells the person that it takes longer


def is_passing(error: GatewayError) -> bool:
    """Whether the same request may succeed later: the gateway is busy, broken or away."""
    return not isinstance(error, Refused) or error.status in (408, 429) or error.status >= 500


class Diagnosing:
    """Asks the gateway for people who are known to it by a keyed hash.

    Args:
        gateway: with no retries of its own.
        patience_s: for which one request is made again.
        parallel: photos or albums asked about at once.
    """

    def __init__(self, gateway: GatewayClient, patience_s: float, parallel: int, metrics: Metrics) -> None:
        self._gateway = gateway
        self._patience_s = patience_s
        self._turns = asyncio.Semaphore(parallel)
        self._metrics = metrics
        self._classes: dict[str, tuple[float, dict[str, Any]]] = {}

    async def ask(self, photos: Sequence[bytes], language: str, person: str, on_busy: Notice) -> Prediction | Diagnosis:
        """The answer to one photo, or to several of one plant.

        Args:
            on_busy: called once, when it takes longer because the gateway is tried again.

        Raises:
            client.GatewayError: refused, or no answer for too long.
        """
        named = [(f"photo-{index}", photo) for index, photo in enumerate(photos)]

        async def once() -> Prediction | Diagnosis:
            async with self._turns:
                with self._metrics.gateway_seconds.time():
                    return await ask()

        async def ask() -> Prediction | Diagnosis:
            if len(photos) == 1:
                return await self._gateway.predict(photos[0], explain=True, language=language, end_user=person)
            return await self._gateway.diagnose(named, explain=True, language=language, end_user=person)

        return await self.patiently(once, self._patience_s, on_busy)

    async def say(
        self, prediction_id: str, verdict: Any, class_key: str | None, photo: bytes | None, person: str
    ) -> bool:
        """Feedback; returns whether the photo is kept.

        Raises:
            client.GatewayError
        """
        reply = await self.patiently(
            lambda: self._gateway.feedback(prediction_id, verdict, class_key=class_key, photo=photo, end_user=person),
            _WITHOUT_STATUS_S,
        )
        return bool(reply.get("photo_kept"))

    async def forget(self, person: str) -> int:
        """Delete all that the gateway remembers of a person; returns the number of answers.

        Raises:
            client.GatewayError
        """
        return await self.patiently(lambda: self._gateway.forget(end_user=person), _WITHOUT_STATUS_S)

    async def classes(self, language: str) -> dict[str, Any]:
        """The answer of `/v1/classes`, at most five minutes old.

        Raises:
            client.GatewayError: it is not known, and the gateway does not answer.
        """
        known = self._classes.get(language)
        if known is None or time.monotonic() - known[0] > _CLASSES_AGE_S:
            known = (time.monotonic(), await self._gateway.classes(language))
            self._classes[language] = known
        return known[1]

    async def known_classes(self, language: str) -> dict[str, Any] | None:
        """The same where the answer can do without: however old, and None where nothing is known."""
        try:
            async with asyncio.timeout(_SIDE_QUESTION_S):
                return await self.classes(language)
        except (GatewayError, TimeoutError):
            return self._classes.get(language, (0.0, None))[1]

    async def patiently(self, call: Callable[[], Awaitable[T]], most_s: float, on_busy: Notice | None = None) -> T:
        """Make a call until it succeeds, is refused for good, or `most_s` seconds are over.

        Raises:
            client.GatewayError
        """
        began = time.monotonic()
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return await call()
            except GatewayError as error:
                asked_s = error.retry_after_s if isinstance(error, Refused) else None
                wait_s = max(asked_s or 0.0, pause_s) * random.uniform(1.0, 1.2)
                waited_s = time.monotonic() - began
                if not is_passing(error) or waited_s + wait_s > most_s:
                    raise
                log.info("the gateway is asked again", reason=type(error).__name__, wait_s=round(wait_s, 1))
            if on_busy is not None and waited_s + wait_s > _TELL_AFTER_S:
                await on_busy()
                on_busy = None
            self._metrics.gateway_retries.inc()
            await asyncio.sleep(wait_s)
            pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)
