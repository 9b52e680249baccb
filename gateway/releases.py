"""Which release answers: the highest-numbered ensemble that Triton reports as ready."""

import asyncio
import re

import structlog

from gateway.errors import NotReady, Problem
from gateway.release import InvalidReleaseError, Release, read_release
from gateway.triton import Triton

log = structlog.get_logger()

_ENSEMBLE = re.compile(r"leaf_ensemble_([1-9][0-9]{0,8})")


class Releases:
    """Follows Triton's repository index in the background; requests only read what was found."""

    def __init__(self, triton: Triton, poll_interval_s: float) -> None:
        self._triton = triton
        self._poll_interval_s = poll_interval_s
        self._chosen: Release | None = None
        self._refreshing = asyncio.Lock()

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
        """Look once; an ensemble with invalid parameters is logged and passed over.

        Raises:
            TritonUnavailable and the other problems of a call
        """
        async with self._refreshing:
            before = self._chosen
            self._chosen = await self._highest_valid()
            if self._chosen is not before:
                log.info("release chosen", ensemble=self._chosen.ensemble if self._chosen else None)

    async def _highest_valid(self) -> Release | None:
        numbered = [
            (int(match[1]), match[0]) for match in map(_ENSEMBLE.fullmatch, await self._triton.ready_models()) if match
        ]
        for _, ensemble in sorted(numbered, reverse=True):
            parameters = await self._triton.model_parameters(ensemble)
            current = self._chosen
            if current and current.ensemble == ensemble and current.parameters == parameters:
                return current
            try:
                return read_release(ensemble, parameters)
            except InvalidReleaseError as error:
                log.error("release ignored", ensemble=ensemble, reason=str(error))
        return None
