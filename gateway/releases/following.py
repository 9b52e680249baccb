"""The route as one process knows it: a copy of the row, so that no request waits for the database."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.releases.kept_route import KeptRoute
from gateway.releases.routes import read_route
from gateway.releases.routing import Route
from gateway.settings import Settings

log = structlog.get_logger()


class Routes:
    """Follows the row; while the database is down the last known route stays, also for processes started meanwhile."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._task = settings.task
        self._interval_s = settings.route_interval_s
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, "routes")  # of its own: slow queries of others must not delay a rollback
        self._kept = KeptRoute(settings.data_dir)
        self._current: Route | None = None
        self._failing = False
        self._is_read = False

    def current(self) -> Route | None:
        """The route, None where there is no row: then the highest number answers."""
        return self._current

    async def follow(self, changed: Callable[[], None]) -> None:
        """Refresh every `route_interval_s` until cancelled, and say when the route has changed."""
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                if await self.refresh():
                    changed()
            except Exception:
                log.exception("following the route is defective")

    async def refresh(self) -> bool:
        """Look once; whether the route has changed. A failure is logged when it begins and when it ends."""
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, self._read)
        except SQLAlchemyError as error:
            if not self._failing:
                log.warning("the route cannot be read; the last known one stays", error=type(error).__name__)
            self._failing = True
            if self._is_read:
                return False
            found = self._kept.read()
        else:
            if self._failing:
                log.info("the route can be read again")
            self._failing = False
            self._is_read = True
        if found == self._current:
            return False
        self._current = found
        log.info("route changed", **_told(found))
        return True

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _read(self) -> Route | None:
        with self._engine.connect() as connection:
            found = read_route(connection, self._task)
        self._kept.write(found)
        return found


def _told(route: Route | None) -> dict[str, object]:
    if route is None:
        return {"stable": None}
    names = ("task", "stable", "candidate", "candidate_share", "shadow", "previous", "version")
    return {name: getattr(route, name) for name in names}
