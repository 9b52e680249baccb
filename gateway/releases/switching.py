"""Moves the route: what it will name is loaded beside what answers, warmed, probed and compared first.

A release that does not load or does not answer as its report says changes nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.dashboard.periods import Hours
from gateway.database.engine import write
from gateway.errors import InvalidRoute, Problem, RouteConflict, TritonUnavailable
from gateway.releases.comparing import compare
from gateway.releases.comparison import Comparison
from gateway.releases.preparing import Preparing, Progress
from gateway.releases.repository import ModelRepository
from gateway.releases.routes import LOCK_S, ChangeLock, forget_route, move_route, read_route, read_routes
from gateway.releases.routing import Route
from gateway.settings import Settings
from gateway.triton.client import Triton
from gateway.triton.control import Control
from gateway.triton.releases import Releases, ensemble_name, release_number

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")

_ASKED_S = 1.0
"""What Triton gets to say whether it has a release, when going back to it cannot wait."""
_FOLLOWED_S = 2.0
"""After which every worker has followed a change."""


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """One release: its role in the route, whether Triton has it ready, whether the repository holds it (None: not known)."""

    number: int
    role: str | None
    loaded: bool
    stored: bool | None


class Switching:
    """Changes releases; create it inside a running event loop, close it there too.

    Args:
        who: is written down as the one who changed it.
        progress: told in short sentences what is being done.
    """

    def __init__(self, settings: Settings, engine: Engine, who: str, progress: Progress) -> None:
        self._settings = settings
        self._engine = engine
        self._who = who
        self.tell = progress
        self._triton = Triton(settings)
        self.control = Control(settings)
        self.repository = ModelRepository(settings.model_repository) if settings.model_repository else None
        self._preparing = Preparing(settings, self._triton, self.control, self.repository, progress)

    async def close(self) -> None:
        """Close the connections to Triton."""
        await self._triton.close()
        await self.control.close()

    async def move(self, action: str, change: Callable[[Route], Route], version: int | None = None) -> Route:
        """Change the route, once all that it will name is loaded and proved.

        Args:
            action: for the history, such as `promote`.
            change: makes the new route from the present one.
            version: of the route that the caller has seen; None takes any.

        Returns:
            The route as it is now; every worker follows within 2 s.

        Raises:
            RouteConflict: somebody else changes it or has changed it.
            InvalidRoute, UnknownRelease: there is nothing to change, or not to this.
            ReleaseRefused: a release is not fit; the route is as before.
            TritonUnavailable and other problems of Triton: the route is as before.
        """
        present = await self._require_present(version)
        wanted = change(present)
        nothing_new = set(wanted.numbers) <= set(present.numbers)
        if nothing_new and (wanted.stable == present.stable or await self._is_ready(wanted.stable)):
            # a rollback waits for nobody
            moved = await asyncio.to_thread(self._write, wanted, action)
        else:
            async with self.changing() as lock:
                moved = await self._load_and_move(lock, action, change, version)
        self.tell(f"the route has moved: release {moved.stable} answers")
        return moved

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[ChangeLock]:
        """Hold the right to change releases.

        Raises:
            RouteConflict: somebody else has it.
        """
        lock = ChangeLock(self._engine, self._who)
        await asyncio.to_thread(lock.take)
        renewing = asyncio.create_task(_renew(lock))
        try:
            yield lock
        finally:
            renewing.cancel()
            await asyncio.shield(asyncio.to_thread(lock.release))

    async def present(self) -> Route | None:
        """The route that is followed here; without a row what answers by its number, as version 0; None: nothing does."""
        found = await self.read(read_route, self._settings.task)
        if found is not None:
            return found
        releases = Releases(self._triton, self._settings.poll_interval_s)
        await releases.refresh()
        try:
            chosen = releases.chosen()
        except Problem:
            return None
        return Route(task=chosen.task, stable=chosen.number)

    async def needed(self, present: Route) -> set[int]:
        """Numbers that have to stay: of `present`, and where each task has gateways of its own (GATEWAY_TASK) of all routes."""
        followed = await self.read(read_routes) if self._settings.task else []
        return {number for route in (present, *followed) for number in route.numbers}

    async def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `query(connection, ...)` returns."""

        def run() -> T:
            with self._engine.connect() as connection:
                return query(connection, *args, **kwargs)

        return await asyncio.to_thread(run)

    async def inventory(self) -> list[ReleaseState]:
        """Every release that Triton has ready or the repository holds, the newest first.

        Raises:
            TritonUnavailable
        """
        states = await self.control.versions()
        ready = {release_number(name) for name, versions in states.items() if "READY" in versions.values()}
        stored = None if self.repository is None else await asyncio.to_thread(self.repository.numbers)
        route = await self.present()
        numbers = sorted({number for number in (*ready, *(stored or ())) if number is not None}, reverse=True)
        return [
            ReleaseState(
                number=number,
                role=route.role_of(number) if route else None,
                loaded=number in ready,
                stored=None if stored is None else number in stored,
            )
            for number in numbers
        ]

    async def compare(self, hours: Hours) -> Comparison:
        """The route's releases beside each other.

        Raises:
            InvalidRoute: nothing answers.
        """
        route = await self._require_present(None)
        return await self.read(compare, route, hours)

    async def _require_present(self, version: int | None) -> Route:
        present = await self.present()
        if present is None:
            raise InvalidRoute("No release is ready in Triton, so there is no route to change. Load one first.")
        if version is not None and version != present.version:
            raise RouteConflict(f"The route has version {present.version} by now, not {version}. Look at it again.")
        return present

    async def _load_and_move(
        self, lock: ChangeLock, action: str, change: Callable[[Route], Route], version: int | None
    ) -> Route:
        present = await self._require_present(version)
        pinned = None
        if not present.version:  # else loading a higher number would move everybody at once
            self.tell(f"release {present.stable} answers by its number; writing that down first")
            present = pinned = await asyncio.to_thread(self._write, present, "pin")
            await asyncio.sleep(_FOLLOWED_S)
        loaded: list[int] = []
        try:
            wanted = change(present)
            for number in wanted.numbers:
                if number not in present.numbers or number == wanted.stable != present.stable:
                    release = await self._preparing.prepare(number, present.numbers, loaded)
                    if number == wanted.stable:
                        wanted = await self._for_task(wanted, release.task)
                    elif release.task != wanted.task:
                        raise InvalidRoute(f"Release {number} is for the task {release.task}, not {wanted.task}.")
            await asyncio.to_thread(lock.renew)
            return await asyncio.to_thread(self._write, wanted, action)
        except BaseException:
            await asyncio.shield(self._undo(loaded, pinned))
            raise

    async def _is_ready(self, number: int) -> bool:
        """Whether Triton has a release; where it does not say, what the route names is taken to be there."""
        try:
            states = await asyncio.wait_for(self.control.versions(), _ASKED_S)
        except (TritonUnavailable, TimeoutError):
            return True
        return "READY" in states.get(ensemble_name(number), {}).values()

    async def _undo(self, loaded: list[int], pinned: Route | None) -> None:
        """Unload what was loaded, unless a route names it: by somebody else, or by a write whose answer was lost."""
        try:
            named = {number for route in await self.read(read_routes) for number in route.numbers}
        except SQLAlchemyError:
            self.tell(f"what was loaded stays loaded, since the database does not say whether it is needed: {loaded}")
            return
        for number in loaded:
            if number not in named:
                await self._preparing.unload(number)
        # without the row the highest number would answer, and that is the one that was not proved
        if pinned is not None and not any([await self._is_ready(number) for number in loaded]):
            await asyncio.to_thread(self._unpin, pinned)

    async def _for_task(self, route: Route, task: str) -> Route:
        """The row of the release's own task; only a gateway that follows a certain task minds."""
        if task == route.task:
            return route
        if self._settings.task and task != self._settings.task:
            raise InvalidRoute(
                f"Release {route.stable} is for the task {task}, not {self._settings.task} (GATEWAY_TASK)."
            )
        own = await self.read(read_route, task)
        return Route(
            task=task,
            stable=route.stable,
            previous=route.previous,
            version=own.version if own else 0,
        )

    def _write(self, route: Route, action: str) -> Route:
        with write(self._engine) as connection:
            return move_route(connection, route, action, self._who)

    def _unpin(self, pinned: Route) -> None:
        with write(self._engine) as connection:
            forget_route(connection, pinned, self._who, "the change that it was for did not come about")


async def _renew(lock: ChangeLock) -> None:
    while True:
        await asyncio.sleep(LOCK_S / 3)
        with suppress(SQLAlchemyError):  # the database may be back before the lock ends
            await asyncio.to_thread(lock.renew)
