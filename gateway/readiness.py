"""Whether this process can answer: only an inference that came back proves it.

Triton's own readiness does not see an ensemble that hangs.
"""

import asyncio
import io
import time

import structlog
from PIL import Image

from gateway.errors import NotReady, Problem
from gateway.release import Release
from gateway.releases import Releases
from gateway.settings import Settings
from gateway.triton import Triton

log = structlog.get_logger()

_PROBE_SIDE = 64
_LOOK_INTERVAL_S = 0.5
"""Between two looks whether a probe is due; also how soon a failed probe is repeated."""


class Readiness:
    """Remembers the last answered inference and probes with a small image when there was none lately."""

    def __init__(self, settings: Settings, triton: Triton, releases: Releases) -> None:
        self._triton = triton
        self._releases = releases
        self._interval_s = settings.probe_interval_s
        self._max_age_s = settings.probe_max_age_s
        self._answered_at = float("-inf")
        self._answered_by = ""

    def answered(self, release: Release) -> None:
        """Note that `release` has just answered an inference."""
        self._answered_at = time.monotonic()
        self._answered_by = release.ensemble

    def require(self) -> Release:
        """The chosen release, if it answered within `probe_max_age_s`.

        Raises:
            NotReady
        """
        release = self._releases.chosen()
        if not self._answered_within(release, self._max_age_s):
            raise NotReady(f"{release.ensemble} has not answered an inference lately. Try again in a few seconds.")
        return release

    async def follow(self) -> None:
        """Probe whenever `probe_interval_s` passed without an answer, until cancelled."""
        image = _probe_image()
        while True:
            try:
                release = self._releases.chosen()
                if not self._answered_within(release, self._interval_s):
                    await self._triton.infer(release, image, "readiness-probe")
                    self.answered(release)
            except Problem as problem:
                log.warning("probe failed", detail=problem.detail)
            except Exception:
                log.exception("probe is defective")
            await asyncio.sleep(min(self._interval_s / 4, _LOOK_INTERVAL_S))

    def _answered_within(self, release: Release, seconds: float) -> bool:
        return release.ensemble == self._answered_by and time.monotonic() - self._answered_at < seconds


def _probe_image() -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((_PROBE_SIDE, _PROBE_SIDE)).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()
