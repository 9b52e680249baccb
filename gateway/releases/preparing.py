"""Makes a release ready to answer: loaded beside what answers, warmed, proved. One that is not fit leaves nothing behind.

A refused release is unloaded and taken out of the repository, since one broken version there keeps every later release from
loading, and a fresh Triton from starting.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping

import structlog

from gateway.errors import Problem, ReleaseRefused
from gateway.releases.probing import prove_release
from gateway.releases.repository import ModelRepository, ReleaseFiles, shapes_of
from gateway.settings import Settings
from gateway.triton.client import Triton
from gateway.triton.control import Control
from gateway.triton.release import InvalidReleaseError, Release, read_release
from gateway.triton.releases import ensemble_name, release_number

log = structlog.get_logger()

Progress = Callable[[str], None]

_REASON_CHARACTERS = 240


class Preparing:
    """Loads releases into one Triton.

    Args:
        repository: Triton's, where it can be seen from here.
        progress: told in short sentences what is being done.
    """

    def __init__(
        self,
        settings: Settings,
        triton: Triton,
        control: Control,
        repository: ModelRepository | None,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._triton = triton
        self._control = control
        self._repository = repository
        self._tell = progress

    async def prepare(self, number: int, keep: Collection[int], loaded: list[int]) -> Release:
        """Load, warm and prove one release; one that is not fit leaves nothing behind.

        Args:
            keep: numbers that the route names, which are never taken out.
            loaded: gets the number where this has loaded it, so that it can be undone.
        """
        name = ensemble_name(number)
        states = await self._control.versions()
        try:
            if "READY" not in states.get(name, {}).values():
                await self._require_same_shapes(number, states)
                self._tell(f"loading release {number} beside what answers")
                loaded.append(number)
                await self._load(number, keep)
            release = await self._described(name)
            said = await prove_release(self._triton, release, self._settings.model_repository)
        except ReleaseRefused as refusal:
            self._tell(f"release {number} is refused")
            left = "It stays where it is, as the route names it." if number in keep else await self._take_out(number)
            raise ReleaseRefused(f"{refusal.detail} Nothing was changed. {left}") from refusal
        self._tell(f"release {number} is ready: {said}")
        return release

    async def _load(self, number: int, keep: Collection[int]) -> None:
        """Load a release; a broken one that stands in its way is taken out first.

        Raises:
            ReleaseRefused: it does not load; says why.
        """
        name = ensemble_name(number)
        try:
            await self._control.load(name)
        except ReleaseRefused as refusal:
            failures = await self._control.failures()
            own, others = [], set[int]()
            if self._repository is not None:
                versions = (await asyncio.to_thread(self._repository.read, number)).versions
                own = [
                    f"{step}: {failures[step, version]}" for step, version in versions if (step, version) in failures
                ]
                steps = {step for step, _ in versions}
                others = {version for step, version in failures if step in steps} - {number, *keep}
            if own or not others:
                raise ReleaseRefused(" ".join([refusal.detail, *own])) from refusal
            for other in sorted(others):
                self._tell(
                    f"release {other} is broken and keeps others from loading; taking it out: {await self._take_out(other)}"
                )
            await self._control.load(name)

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
        if self._repository is None:
            return
        files = await asyncio.to_thread(self._repository.read, number)
        for step in files.steps:
            if "READY" not in loaded.get(step, {}).values():
                continue
            serving = shapes_of(await self._triton.model_config(step))
            if await asyncio.to_thread(self._repository.shapes, step) != serving:
                raise ReleaseRefused(
                    f"The step {step} of release {number} has another shape than the one that is served. Export it under "
                    "another step name."
                )

    async def _take_out(self, number: int) -> str:
        """Unload a refused release and move its files aside; what is left to do, as a sentence."""
        await self.unload(number)
        if self._repository is None:
            return (
                "GATEWAY_MODEL_REPOSITORY is not set, so its steps stay loaded until you remove their folders "
                f"{number}/ and load each step again."
            )
        try:
            files = await asyncio.to_thread(self._repository.read_any, number)
            await asyncio.to_thread(self._repository.retire, files, keep_files=True)
            await load_without(self._control, self._repository, files)
        except (OSError, Problem) as error:
            return f"It could not be taken out wholly ({error}): remove the folders {number}/ of its steps."
        return f"Its files are in {self._settings.model_repository}/.retired/{number}."

    async def unload(self, number: int) -> None:
        """Unload a release, as far as Triton lets."""
        try:
            await self._control.unload(ensemble_name(number))
        except Problem as problem:
            log.warning("release not unloaded", release=number, detail=problem.detail)


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
