"""Takes a release back by itself where it fails or refuses too many photos; off unless a limit is set.

Each process judges by the photos that it has answered itself, and only where the whole 95 % interval of the rate lies above the
limit, so that a few bad photos move nothing. A candidate ends; a stable release goes back to the previous one, within
`guard_watch_s` of the change. There is no previous release after that, so nothing swings to and fro.
"""

import asyncio
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.dashboard.statistics import wilson_interval
from gateway.database.engine import write
from gateway.errors import RouteConflict
from gateway.releases.following import Routes
from gateway.releases.routes import move_route
from gateway.releases.routing import Route
from gateway.settings import Settings

log = structlog.get_logger()

_LOOK_INTERVAL_S = 0.5
_MOST_REMEMBERED = 20_000
_WHO = "guard"


@dataclass(frozen=True, slots=True)
class _Outcome:
    at: float
    release: int
    failed: bool
    refused: bool


class Guard:
    """Notes what became of photos and judges the releases of the route; one for each worker process."""

    def __init__(self, settings: Settings, engine: Engine, routes: Routes) -> None:
        self._limits = {"error": settings.guard_error_percent, "refusal": settings.guard_refusal_percent}
        self._least = settings.guard_photos
        self._window_s = settings.guard_window_s
        self._watch_s = settings.guard_watch_s
        self._engine = engine
        self._routes = routes
        self._seen: deque[_Outcome] = deque(maxlen=_MOST_REMEMBERED)
        self._version = 0
        self._thread = ThreadPoolExecutor(1, "guard")

    @property
    def is_on(self) -> bool:
        """Whether a limit is set."""
        return any(self._limits.values())

    def note(self, release: int, *, failed: bool = False, refused: bool = False) -> None:
        """A photo was answered, or `refused`, or the release `failed` at it."""
        if self.is_on:
            self._seen.append(_Outcome(time.monotonic(), release, failed, refused))

    async def follow(self) -> None:
        """Judge twice a second, until cancelled."""
        while self.is_on:
            await asyncio.sleep(_LOOK_INTERVAL_S)
            try:
                await self._judge()
            except (SQLAlchemyError, RouteConflict) as error:
                log.warning("the guard could not move the route; it tries again", error=type(error).__name__)
            except Exception:
                log.exception("the guard is defective")

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _judge(self) -> None:
        route = self._routes.current()
        if route is None:
            return
        if route.version != self._version:  # what went before says nothing of this route
            self._version = route.version
            self._seen.clear()
        while self._seen and self._seen[0].at < time.monotonic() - self._window_s:
            self._seen.popleft()
        if route.candidate is not None and (reason := self.fault(route.candidate)):
            await self._move(route.without_candidate(), reason)
        elif route.previous is not None and self._is_watched(route) and (reason := self.fault(route.stable)):
            await self._move(route.rolled_back(), reason)

    def fault(self, release: int) -> str | None:
        """Why a release has to be taken back, as a sentence; None where nothing speaks against it."""
        seen = [outcome for outcome in self._seen if outcome.release == release]
        if len(seen) < self._least:
            return None
        hits = {"error": sum(each.failed for each in seen), "refusal": sum(each.refused for each in seen)}
        for kind, limit in self._limits.items():
            low, _ = wilson_interval(hits[kind], len(seen))
            if limit and low > limit / 100:
                return (
                    f"release {release}: {kind} rate {hits[kind]} of {len(seen)}, at least {100 * low:.1f} %, "
                    f"above the limit of {limit:g} %"
                )
        return None

    def _is_watched(self, route: Route) -> bool:
        return (datetime.now(UTC) - route.changed_at).total_seconds() < self._watch_s

    async def _move(self, wanted: Route, reason: str) -> None:
        def move() -> None:
            with write(self._engine) as connection:
                move_route(connection, wanted, "guard", _WHO, reason)

        log.error("release taken back", reason=reason, stable=wanted.stable, candidate=wanted.candidate)
        await asyncio.get_running_loop().run_in_executor(self._thread, move)
        self._seen.clear()
