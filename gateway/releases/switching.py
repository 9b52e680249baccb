"""Moves the route: what it will name is loaded beside what answers, warmed, probed and compared first.

A release that does not load or does not answer as its report says changes nothing: the row stays, the release is unloaded and
taken out of the repository, since one broken version there would keep every later release from loading.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine

from gateway.database.engine import write
from gateway.errors import InvalidRoute, Problem, ReleaseRefused, RouteConflict
from gateway.releases.probing import prove_release
from gateway.releases.repository import ModelRepository, ReleaseFiles, shapes_of
from gateway.releases.routes import LOCK_S, ChangeLock, forget_route, move_route, read_route, read_routed_numbers
from gateway.releases.routing import Route
from gateway.settings import Settings
from gateway.triton.client import Triton
from gateway.triton.control import Control
from gateway.triton.release import InvalidReleaseError, Release, read_release
from gateway.triton.releases import Releases, ensemble_name, release_number

log = structlog.get_logger()

Progress = Callable[[str], None]
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
        if set(wanted.numbers) <= set(present.numbers):  # a rollback waits for nobody
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
        with lock.held():
            renewing = asyncio.create_task(_renew(lock))
            try:
                yield lock
            finally:
                renewing.cancel()

    async def present(self) -> Route | None:
        """The route that is followed here; without a row what answers by its number, as version 0; None: nothing does."""
        found = await asyncio.to_thread(self._read)
        if found is not None:
            return found
        releases = Releases(self._triton, self._settings.poll_interval_s)
        await releases.refresh()
        try:
            chosen = releases.chosen()
        except Problem:
            return None
        return Route(task=chosen.task, stable=chosen.number)

    def ever_routed(self) -> set[int]:
        """Numbers of all releases that any route has named."""
        with self._engine.connect() as connection:
            return read_routed_numbers(connection)

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
                if number not in present.numbers:
                    release = await self._prepare(number, loaded)
                    if number == wanted.stable:
                        wanted = await asyncio.to_thread(self._for_task, wanted, release.task)
            await asyncio.to_thread(lock.renew)
            return await asyncio.to_thread(self._write, wanted, action)
        except BaseException:
            await asyncio.shield(self._undo(loaded, pinned))
            raise

    async def _undo(self, loaded: list[int], pinned: Route | None) -> None:
        for number in loaded:
            await self._unload(number)
        if pinned is not None:
            await asyncio.to_thread(self._unpin, pinned)

    async def _prepare(self, number: int, loaded: list[int]) -> Release:
        """Load, warm and prove one release; one that is not fit leaves nothing behind.

        Args:
            loaded: gets the number where this has loaded it, so that it can be undone.
        """
        name = ensemble_name(number)
        states = await self.control.versions()
        try:
            if "READY" not in states.get(name, {}).values():
                await self._require_same_shapes(number, states)
                self.tell(f"loading release {number} beside what answers")
                loaded.append(number)
                await self.control.load(name)
            release = await self._described(name)
            said = await prove_release(self._triton, release, self._settings.model_repository)
        except ReleaseRefused as refusal:
            self.tell(f"release {number} is refused; taking it out")
            left = await self._take_out(number)
            raise ReleaseRefused(f"{refusal.detail} Nothing was changed. {left}") from refusal
        self.tell(f"release {number} is ready: {said}")
        return release

    async def _described(self, name: str) -> Release:
        try:
            release = read_release(name, await self._triton.model_parameters(name))
        except InvalidReleaseError as error:
            raise ReleaseRefused(f"The parameters of {name} describe no release: {error}.") from error
        if release.number != release_number(name):
            raise ReleaseRefused(f"{name} says that it is release {release.number}.")
        return release

    async def _require_same_shapes(self, number: int, loaded: Mapping[str, Mapping[str, str]]) -> None:
        """A step that is loaded already must not change its tensors: every ensemble that uses it would end."""
        if self.repository is None:
            return
        files = await asyncio.to_thread(self.repository.read, number)
        for step in files.steps:
            if "READY" not in loaded.get(step, {}).values():
                continue
            serving = shapes_of(await self._triton.model_config(step))
            if self.repository.shapes(step) != serving:
                raise ReleaseRefused(
                    f"The step {step} of release {number} has another shape than the one that is served. Export it under "
                    "another step name."
                )

    async def _take_out(self, number: int) -> str:
        """Unload a refused release and move its files aside; what is left to do, as a sentence."""
        await self._unload(number)
        if self.repository is None:
            return (
                "GATEWAY_MODEL_REPOSITORY is not set, so its steps stay loaded until you remove their folders "
                f"{number}/ and load each step again."
            )
        try:
            files = await asyncio.to_thread(self.repository.read, number)
            await asyncio.to_thread(self.repository.retire, files, keep_files=True)
            await load_without(self.control, self.repository, files)
        except (OSError, Problem) as error:
            return f"It could not be taken out wholly ({error}): remove the folders {number}/ of its steps."
        return f"Its files are in {self._settings.model_repository}/.retired/{number}."

    async def _unload(self, number: int) -> None:
        try:
            await self.control.unload(ensemble_name(number))
        except Problem as problem:
            log.warning("release not unloaded", release=number, detail=problem.detail)

    def _for_task(self, route: Route, task: str) -> Route:
        """The row of the release's own task; only a gateway that follows a certain task minds."""
        if task == route.task:
            return route
        if self._settings.task and task != self._settings.task:
            raise InvalidRoute(
                f"Release {route.stable} is for the task {task}, not {self._settings.task} (GATEWAY_TASK)."
            )
        with self._engine.connect() as connection:
            own = read_route(connection, task)
        return Route(
            task=task,
            stable=route.stable,
            previous=route.previous,
            version=own.version if own else 0,
        )

    def _read(self) -> Route | None:
        with self._engine.connect() as connection:
            return read_route(connection, self._settings.task)

    def _write(self, route: Route, action: str) -> Route:
        with write(self._engine) as connection:
            return move_route(connection, route, action, self._who)

    def _unpin(self, pinned: Route) -> None:
        with write(self._engine) as connection:
            forget_route(connection, pinned, self._who, "the change that it was for did not come about")


async def load_without(control: Control, repository: ModelRepository, files: ReleaseFiles) -> None:
    """Have Triton see that the versions of a release that was taken out are gone; the others go on answering.

    Raises:
        ReleaseRefused, TritonUnavailable
    """
    loaded = await control.versions()
    for step, version in files.own:
        if str(version) in loaded.get(step, {}):
            if repository.has_versions(step):
                await control.load(step)
            else:
                await control.unload(step)


async def _renew(lock: ChangeLock) -> None:
    while True:
        await asyncio.sleep(LOCK_S / 3)
        await asyncio.to_thread(lock.renew)
