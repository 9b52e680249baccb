"""Whether this process can answer: only an inference that came back proves it.

Triton's own readiness does not see an ensemble that hangs. Where there is reason to doubt (a probe that failed, a look at
Triton's repository that was not answered), an answer from before does not count any more.
"""

import asyncio
import time

import structlog

from gateway.errors import NotReady, Problem
from gateway.settings import Settings
from gateway.triton.client import Triton
from gateway.triton.probing import probe
from gateway.triton.release import Release
from gateway.triton.releases import Releases

log = structlog.get_logger()

_LOOK_INTERVAL_S = 0.25
"""Between two looks whether a probe is due; also how soon a failed probe is repeated."""


class Readiness:
    """Remembers the last answered inference and probes with a small image when there was none lately."""

    def __init__(self, settings: Settings, triton: Triton, releases: Releases) -> None:
        self._triton = triton
        self._releases = releases
        self._interval_s = settings.probe_interval_s
        self._max_age_s = settings.probe_max_age_s
        self._patience_s = settings.infer_timeout_s / 2
        self._answers: dict[str, float] = {}
        self._doubted_at = float("-inf")
        self._probe_failed_at = float("-inf")

    def answered(self, release: Release) -> None:
        """Note that `release` has just answered an inference."""
        self._answers[release.ensemble] = time.monotonic()

    def doubt(self) -> None:
        """Note that an inference was not answered; a probe will tell whether it was that one only."""
        self._doubted_at = time.monotonic()

    def is_silent(self) -> bool:
        """Whether nobody has got an answer while a photo waited for its own: then it is not that photo which is slow."""
        return time.monotonic() - self._answered_at() > self._patience_s

    def open_release(self, key: str) -> Release:
        """The release to send photos of a caller to: nothing speaks against Triton since its last answer, or the start.

        Args:
            key: of the caller, by `routing_key`.

        Raises:
            NotReady: photos would only wait for their deadline; a probe will tell when they need not any more.
        """
        release = self._releases.chosen_for(key)
        if self._contradicted():
            raise NotReady("The inference server does not answer. Try again in a few seconds.")
        return release

    def require(self) -> Release:
        """The chosen release, if it answered within `probe_max_age_s` and nothing speaks against it since.

        Raises:
            NotReady
        """
        release = self._releases.chosen()
        if self._contradicted() or not self._answered_within(release, self._max_age_s):
            raise NotReady(f"{release.ensemble} has not answered an inference lately. Try again in a few seconds.")
        return release

    def is_ready(self) -> bool:
        """Whether `require` would pass."""
        try:
            self.require()
        except NotReady:
            return False
        return True

    async def follow(self) -> None:
        """Probe whenever `probe_interval_s` passed without an answer, or at once where there is doubt, until cancelled."""
        while True:
            started = time.monotonic()
            try:
                release = self._releases.chosen()
                if self._doubtful() or not self._answered_within(release, self._interval_s):
                    await probe(self._triton, release)
                    self.answered(release)
            except Problem as problem:
                self._probe_failed_at = started  # an answer that came meanwhile outweighs it
                log.warning("probe failed", detail=problem.detail)
            except Exception:
                log.exception("probe is defective")
            await asyncio.sleep(min(self._interval_s / 4, _LOOK_INTERVAL_S))

    def _contradicted(self) -> bool:
        return max(self._probe_failed_at, self._releases.unanswered_since) > self._answered_at()

    def _doubtful(self) -> bool:
        return self._contradicted() or self._doubted_at > self._answered_at()

    def _answered_at(self) -> float:
        """When any release has answered, as of time.monotonic()."""
        return max(self._releases.proved_at, *self._answers.values(), float("-inf"))

    def _answered_within(self, release: Release, seconds: float) -> bool:
        latest = max(self._releases.proved_at, self._answers.get(release.ensemble, float("-inf")))
        return time.monotonic() - latest < seconds
