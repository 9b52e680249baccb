"""Asks the shadow release about photos that the stable one has answered, beside the answers and without touching them.

One photo at a time, resting in between so that the shadow computes only a small share of the time; while it is busy photos are
dropped and counted. What is left of a photo is a count: which classes and decisions the two releases gave it.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import Problem
from gateway.predictions.replies import decide_on
from gateway.releases.shadow_counts import ShadowCount, Sums, add_counts
from gateway.settings import Settings
from gateway.triton.client import Triton
from gateway.triton.release import Answer, Release
from gateway.triton.releases import Releases

log = structlog.get_logger()

_MOST_WAITING = 2
_MOST_BYTES = 8 * 1024 * 1024
_LEAST_REST_S = 0.1
_WRITE_INTERVAL_S = 2.0
_SECONDS_PER_HOUR = 3600
_MILLISECONDS = 1000
_FINAL_S = 2.0

Observer = Callable[[str, int], None]
"""Gets `answered`, `failed` or `dropped`, and the shadow's number."""


@dataclass(frozen=True, slots=True)
class _Asked:
    image: bytes
    release: Release
    answer: Answer
    infer_s: float
    shadow: Release


class Shadowing:
    """One for each worker process; `offer` costs a request next to nothing."""

    def __init__(
        self, settings: Settings, engine: Engine, triton: Triton, releases: Releases, observe: Observer
    ) -> None:
        self._rest = 1 / settings.shadow_duty - 1
        self._engine = engine
        self._triton = triton
        self._releases = releases
        self._observe = observe
        self._waiting: asyncio.Queue[_Asked] = asyncio.Queue(_MOST_WAITING)
        self._counts: defaultdict[ShadowCount, Sums] = defaultdict(Sums)
        self._thread = ThreadPoolExecutor(1, "shadow")

    def offer(self, release: Release, answer: Answer, image: bytes, infer_s: float) -> None:
        """Have the shadow look at a photo that `release` has answered, where there is one and it has time."""
        shadow = self._releases.shadow_of(release)
        if shadow is None:
            return
        if self._waiting.full() or len(image) > _MOST_BYTES:
            self._count(ShadowCount(_hour(), release.number, shadow.number, "dropped"))
            return
        self._waiting.put_nowait(_Asked(image, release, answer, infer_s, shadow))

    async def work(self) -> None:
        """Ask the shadow, until cancelled."""
        while True:
            asked = await self._waiting.get()
            began = time.perf_counter()
            try:
                await self._ask(asked)
            except Exception:
                log.exception("shadowing is defective")
            await asyncio.sleep(max(_LEAST_REST_S, self._rest * (time.perf_counter() - began)))

    async def write(self) -> None:
        """Bring the counts to the database every few seconds, until cancelled; they wait while it is down."""
        while True:
            await asyncio.sleep(_WRITE_INTERVAL_S)
            try:
                await self._flush()
            except SQLAlchemyError as error:
                log.warning("counts of the shadow wait for the database", error=type(error).__name__)
            except Exception:
                log.exception("writing the counts of the shadow is defective")

    async def close(self) -> None:
        """Write the last counts, unless the database is down."""
        try:
            await asyncio.wait_for(self._flush(), _FINAL_S)
        except (SQLAlchemyError, TimeoutError) as error:
            log.warning("last counts of the shadow are lost", error=type(error).__name__)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, asked: _Asked) -> None:
        began = time.perf_counter()
        numbers = (asked.release.number, asked.shadow.number)
        try:
            said = await self._triton.infer(asked.shadow, asked.image, "shadow")
        except Problem:
            self._count(ShadowCount(_hour(), *numbers, "failed"))
            return
        took_s = time.perf_counter() - began
        key = ShadowCount(
            _hour(), *numbers, "answered", *_said(asked.release, asked.answer), *_said(asked.shadow, said)
        )
        self._count(key, asked.infer_s, took_s)

    def _count(self, key: ShadowCount, infer_s: float = 0.0, shadow_infer_s: float = 0.0) -> None:
        self._counts[key] += Sums(1, infer_s * _MILLISECONDS, shadow_infer_s * _MILLISECONDS)
        self._observe(key.outcome, key.shadow)

    async def _flush(self) -> None:
        counts, self._counts = self._counts, defaultdict(Sums)
        try:
            for key in list(counts):
                await asyncio.get_running_loop().run_in_executor(
                    self._thread, add_counts, self._engine, key, counts[key]
                )
                del counts[key]
        finally:
            for key, sums in counts.items():
                self._counts[key] += sums


def _said(release: Release, answer: Answer) -> tuple[str, str]:
    """Class key and decision."""
    return release.classes[int(answer.ensemble.argmax())].key, decide_on(release, answer)[0]


def _hour() -> int:
    return int(datetime.now(UTC).timestamp()) // _SECONDS_PER_HOUR
