"""Which releases answer: those of the route; without one the highest-numbered that is ready and has answered a probe."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping

import structlog

from gateway.errors import DeadlineExceeded, NotReady, Problem, TritonUnavailable
from gateway.releases.routing import Route
from gateway.triton.client import Triton
from gateway.triton.probing import probe
from gateway.triton.release import InvalidReleaseError, Release, read_release

log = structlog.get_logger()

_ENSEMBLE = re.compile(r"leaf_ensemble_([1-9][0-9]{0,8})")
_PROBE_AGAIN_S = 10.0
"""After which a release that has failed its probe gets another one."""
_PATIENCE_S = 60.0
"""How long a route's releases may be away, such as loaded again, before any release that answers will do."""
_NEVER = float("-inf")


def ensemble_name(number: int) -> str:
    """Triton's model name of a release."""
    return f"leaf_ensemble_{number}"


def release_number(ensemble: str) -> int | None:
    """The inverse; None where the model is no release."""
    match = _ENSEMBLE.fullmatch(ensemble)
    return int(match[1]) if match else None


def _no_route() -> Route | None:
    return None


class Releases:
    """Follows Triton's repository index in the background; requests only read what was found.

    Args:
        triton: is asked.
        poll_interval_s: seconds between two looks.
        route: the route as it is known now; None where there is none.
    """

    def __init__(self, triton: Triton, poll_interval_s: float, route: Callable[[], Route | None] = _no_route) -> None:
        self._triton = triton
        self._poll_interval_s = poll_interval_s
        self._route = route
        self._chosen: Release | None = None
        self._known: dict[int, Release] = {}
        self._missing: tuple[int, ...] = ()
        self._refreshing = asyncio.Lock()
        self._hurry = asyncio.Event()
        self._unanswered_since = _NEVER
        self._proved_at = _NEVER
        self._away_since: float | None = None
        self._failed: dict[str, tuple[Mapping[str, str], float]] = {}

    @property
    def unanswered_since(self) -> float:
        """When the last look began, as of time.monotonic(), if Triton did not answer it; else minus infinity."""
        return self._unanswered_since

    @property
    def proved_at(self) -> float:
        """When the chosen release answered the probe by which it was chosen, like `unanswered_since`."""
        return self._proved_at

    @property
    def missing(self) -> tuple[int, ...]:
        """Releases that the route names and Triton did not have ready at the last look."""
        return self._missing

    @property
    def known(self) -> tuple[Release, ...]:
        """Those of the route that were ready at the last look, and the chosen one."""
        return tuple({**self._known, **({self._chosen.number: self._chosen} if self._chosen else {})}.values())

    def chosen(self) -> Release:
        """The release that answers now; of a route the stable one.

        Raises:
            NotReady: Triton has reported none yet, or none any more.
        """
        if self._chosen is None:
            raise NotReady("No release is ready yet. Try again in a few seconds.")
        return self._chosen

    def chosen_for(self, key: str) -> Release:
        """The release that answers the caller of this key (`routing_key`): the candidate for its share of callers.

        Raises:
            NotReady
        """
        chosen, route = self.chosen(), self._route()
        if route is None or route.candidate is None or chosen.number != route.stable:
            return chosen
        return self._known.get(route.number_for(key), chosen)

    def shadow_of(self, release: Release) -> Release | None:
        """The release to be asked beside `release`, which has just answered."""
        route = self._route()
        if route is None or route.shadow is None or release.number != route.stable:
            return None
        return self._known.get(route.shadow)

    def route_changed(self) -> None:
        """Follow the route at once where its release is known to be ready, and look soon in any case."""
        route = self._route()
        if route is not None and route.stable in self._known:
            self._choose(self._known[route.stable])
        self._hurry.set()

    async def follow(self) -> None:
        """Refresh about every `poll_interval_s` seconds, until cancelled.

        While Triton does not answer the last release stays chosen: a request then gets the more exact error.
        """
        while True:
            self._hurry.clear()
            try:
                await self.refresh()
            except Problem as problem:
                log.warning("release discovery failed", detail=problem.detail)
            except Exception:
                log.exception("release discovery is defective")
            try:
                await asyncio.wait_for(self._hurry.wait(), self._poll_interval_s)
            except TimeoutError:
                continue

    async def refresh(self) -> None:
        """Look once; an ensemble with invalid parameters is logged and passed over.

        Without a route a release that fails its probe is passed over too, and the chosen one stays until another one is
        proved, as long as Triton has it. With a route nothing is probed: that was done before the route was moved.

        Raises:
            TritonUnavailable and the other problems of a call
        """
        async with self._refreshing:
            began = time.monotonic()
            try:
                route = self._route()
                ready = await self._ready()
                if route is None or not await self._follow_route(route, ready):
                    await self._follow_numbers(ready)
            except (TritonUnavailable, DeadlineExceeded):
                self._unanswered_since = began
                self._away_since = None
                raise
            self._unanswered_since = _NEVER

    async def _ready(self) -> dict[int, str]:
        """Ready ensembles by release number, the highest first."""
        numbered = {number: name for name in await self._triton.ready_models() if (number := release_number(name))}
        return dict(sorted(numbered.items(), reverse=True))

    async def _follow_route(self, route: Route, ready: Mapping[int, str]) -> bool:
        """Choose by the route; False where its releases have been away for so long that any other will do."""
        self._known = {
            number: found for number in route.numbers if number in ready and (found := await self._read(ready[number]))
        }
        self._missing = tuple(number for number in route.numbers if number not in self._known)
        route = self._route() or route  # it may have moved meanwhile
        for number in (route.stable, route.previous):
            if number in self._known:
                self._away_since = None
                self._choose(self._known[number])
                return True
        self._away_since = self._away_since or time.monotonic()
        if time.monotonic() - self._away_since < _PATIENCE_S:
            self._choose(None)
            return True
        log.error("no release of the route is ready, so another one answers", missing=self._missing)
        return False

    async def _follow_numbers(self, ready: Mapping[int, str]) -> None:
        """Choose the first by number that is proved or answers a probe; else simply the first."""
        first: Release | None = None
        for ensemble in ready.values():
            release = await self._read(ensemble)
            if release is None:
                continue
            if release is self._chosen and self._proved_at > _NEVER:
                return
            if await self._proves(release):
                self._choose(release)
                self._proved_at = time.monotonic()
                return
            first = first or release
        # None answers: photos, and further probes, are to be told why by the one that should.
        self._choose(first)
        self._proved_at = _NEVER

    def _choose(self, release: Release | None) -> None:
        """Have `release` answer; after another one that did, nothing speaks against it yet."""
        if release is self._chosen:
            return
        self._proved_at = time.monotonic() if self._chosen and release else _NEVER
        self._chosen = release
        log.info("release chosen", ensemble=release.ensemble if release else None)

    async def _read(self, ensemble: str) -> Release | None:
        """The release as its parameters describe it, the same object while they stay; None where they are not valid."""
        parameters = await self._triton.model_parameters(ensemble)
        for current in (self._chosen, *self._known.values()):
            if current and current.ensemble == ensemble and current.parameters == parameters:
                return current
        try:
            return read_release(ensemble, parameters)
        except InvalidReleaseError as error:
            log.error("release ignored", ensemble=ensemble, reason=str(error))
            return None

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
