"""Makes a release ready to answer: loaded beside what answers, warmed, proved. One that is not fit leaves nothing behind.

A refused release is unloaded and taken out of the repository, since one broken version there keeps every later release from
loading, and a fresh Triton from starting.
"""

import asyncio
from collections.abc import Callable, Mapping

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

    async def prepare(self, number: int, loaded: list[int]) -> Release:
        """Load, warm and prove one release; one that is not fit leaves nothing behind.

        Args:
            loaded: gets the number where this has loaded it, so that it can be undone.
        """
        name = ensemble_name(number)
        states = await self._control.versions()
        try:
            if "READY" not in states.get(name, {}).values():
                await self._require_same_shapes(number, states)
                self._tell(f"loading release {number} beside what answers")
                loaded.append(number)
                await self._control.load(name)
            release = await self._described(name)
            said = await prove_release(self._triton, release, self._settings.model_repository)
        except ReleaseRefused as refusal:
            self._tell(f"release {number} is refused; taking it out")
            left = await self._take_out(number)
            raise ReleaseRefused(f"{refusal.detail} Nothing was changed. {left}") from refusal
        self._tell(f"release {number} is ready: {said}")
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
        if self._repository is None:
            return
        files = await asyncio.to_thread(self._repository.read, number)
        for step in files.steps:
            if "READY" not in loaded.get(step, {}).values():
                continue
            serving = shapes_of(await self._triton.model_config(step))
            if self._repository.shapes(step) != serving:
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
            files = await asyncio.to_thread(self._repository.read, number)
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
