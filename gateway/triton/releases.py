"""Which release answers: the highest-numbered ensemble that Triton reports as ready and that has answered a probe."""

import asyncio
import re
import time
from collections.abc import Mapping

import structlog

from gateway.errors import DeadlineExceeded, NotReady, Problem, TritonUnavailable
from gateway.triton.client import Triton
from gateway.triton.probing import probe
from gateway.triton.release import InvalidReleaseError, Release, read_release

log = structlog.get_logger()

_ENSEMBLE = re.compile(r"leaf_ensemble_([1-9][0-9]{0,8})")
_PROBE_AGAIN_S = 10.0
"""After which a release that has failed its probe gets another one."""
_NEVER = float("-inf")


class Releases:
    """Follows Triton's repository index in the background; requests only read what was found."""

    def __init__(self, triton: Triton, poll_interval_s: float) -> None:
        self._triton = triton
        self._poll_interval_s = poll_interval_s
        self._chosen: Release | None = None
        self._refreshing = asyncio.Lock()
        self._unanswered_since = _NEVER
        self._proved_at = _NEVER
        self._failed: dict[str, tuple[Mapping[str, str], float]] = {}

    @property
    def unanswered_since(self) -> float:
        """When the last look began, as of time.monotonic(), if Triton did not answer it; else minus infinity."""
        return self._unanswered_since

    @property
    def proved_at(self) -> float:
        """When the chosen release answered the probe by which it was chosen, like `unanswered_since`."""
        return self._proved_at

    def chosen(self) -> Release:
        """The release that answers now.

        Raises:
            NotReady: Triton has reported none yet, or none any more.
        """
        if self._chosen is None:
            raise NotReady("No release is ready yet. Try again in a few seconds.")
        return self._chosen

    async def follow(self) -> None:
        """Refresh about every `poll_interval_s` seconds, until cancelled.

        While Triton does not answer the last release stays chosen: a request then gets the more exact error.
        """
        while True:
            try:
                await self.refresh()
            except Problem as problem:
                log.warning("release discovery failed", detail=problem.detail)
            except Exception:
                log.exception("release discovery is defective")
            await asyncio.sleep(self._poll_interval_s)

    async def refresh(self) -> None:
        """Look once; an ensemble with invalid parameters is logged and passed over, like one that fails its probe.

        The chosen release stays until another one is proved, as long as Triton has it.

        Raises:
            TritonUnavailable and the other problems of a call
        """
        async with self._refreshing:
            before, began = self._chosen, time.monotonic()
            try:
                releases = await self._valid()
            except (TritonUnavailable, DeadlineExceeded):
                self._unanswered_since = began
                raise
            self._unanswered_since = _NEVER
            self._chosen, self._proved_at = await self._best(releases)
            if self._chosen is not before:
                log.info("release chosen", ensemble=self._chosen.ensemble if self._chosen else None)

    async def _valid(self) -> list[Release]:
        """The releases that Triton has ready, the highest number first, down to the chosen one where that is proved."""
        numbered = [
            (int(match[1]), match[0]) for match in map(_ENSEMBLE.fullmatch, await self._triton.ready_models()) if match
        ]
        found: list[Release] = []
        for _, ensemble in sorted(numbered, reverse=True):
            parameters = await self._triton.model_parameters(ensemble)
            current = self._chosen
            if current and current.ensemble == ensemble and current.parameters == parameters:
                found.append(current)
                if self._proved_at > _NEVER:
                    break
                continue
            try:
                found.append(read_release(ensemble, parameters))
            except InvalidReleaseError as error:
                log.error("release ignored", ensemble=ensemble, reason=str(error))
        return found

    async def _best(self, releases: list[Release]) -> tuple[Release | None, float]:
        """The first that is proved or answers a probe, and when it did; else simply the first."""
        for release in releases:
            if release is self._chosen and self._proved_at > _NEVER:
                return release, self._proved_at
            if await self._proves(release):
                return release, time.monotonic()
        # None answers: photos, and further probes, are to be told why by the one that should.
        return (releases[0] if releases else None), _NEVER

    async def _proves(self, release: Release) -> bool:
        parameters, again_at = self._failed.get(release.ensemble, ({}, _NEVER))
        if parameters == release.parameters and time.monotonic() < again_at:
            return False
        try:
            await probe(self._triton, release)
        except Problem as problem:
            log.warning("release does not answer its first probe", ensemble=release.ensemble, detail=problem.detail)
            self._failed[release.ensemble] = release.parameters, time.monotonic() + _PROBE_AGAIN_S
            return False
        self._failed.pop(release.ensemble, None)
        return True
