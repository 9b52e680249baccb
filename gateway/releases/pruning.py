"""Clears away releases that nobody needs any more: from Triton's memory and from the repository."""

import asyncio

from gateway.errors import InvalidRoute, MisconfiguredError
from gateway.releases.preparing import load_without
from gateway.releases.repository import ReleaseFiles
from gateway.releases.routes import read_routed_numbers
from gateway.releases.switching import Switching
from gateway.triton.releases import ensemble_name


async def prune(switching: Switching, *, dry_run: bool = False) -> list[int]:
    """Unload and delete the releases that no followed route names and that are older than the stable one or were used before.

    A newer one that was never tried stays. Each is taken out of the repository before Triton is told, so that whatever is
    loaded anew after a kill still loads; what a kill left is cleared away the next time.

    Returns:
        Their numbers.

    Raises:
        MisconfiguredError: GATEWAY_MODEL_REPOSITORY is not set.
        RouteConflict: somebody else changes releases, or writes one.
        InvalidRoute: nothing answers.
        Problem: of Triton; what was not done is left for the next time.
    """
    repository = switching.repository
    if repository is None:
        raise MisconfiguredError("Prune deletes files: set GATEWAY_MODEL_REPOSITORY to Triton's model repository.")
    async with switching.changing():
        with repository.writing():
            present = await switching.present()
            if present is None:
                raise InvalidRoute("No release is ready in Triton, so it is not known which ones are needed.")
            used = await switching.read(read_routed_numbers)
            needed = await switching.needed(present)
            numbers = [
                number
                for number in await asyncio.to_thread(repository.numbers)
                if number not in needed and (number < present.stable or number in used)
            ]
            if dry_run:
                return numbers
            for files in await asyncio.to_thread(repository.leftovers):
                await _clear(switching, files)
            for number in numbers:
                switching.tell(f"clearing away release {number}")
                await _clear(switching, await asyncio.to_thread(repository.read, number))
    return numbers


async def _clear(switching: Switching, files: ReleaseFiles) -> None:
    assert switching.repository is not None
    states = await switching.control.versions()
    if "READY" in states.get(ensemble_name(files.number), {}).values():
        await switching.control.unload(ensemble_name(files.number))
    await asyncio.to_thread(switching.repository.retire, files, keep_files=False)
    await load_without(switching.control, switching.repository, files)
