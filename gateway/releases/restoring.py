"""Has Triton load again what the route names, such as after a restart: it comes back with one release only."""

import asyncio
import time

import structlog

from gateway.errors import Problem
from gateway.triton.control import Control
from gateway.triton.releases import Releases, ensemble_name

log = structlog.get_logger()

_LOOK_INTERVAL_S = 0.5
_AGAIN_S = 15.0
"""After a load that failed."""


async def restore(releases: Releases, control: Control) -> None:
    """Load the route's missing releases one after the other, the stable one first, until cancelled.

    Several processes may ask for the same; Triton loads it once.
    """
    not_before: dict[int, float] = {}
    while True:
        await asyncio.sleep(_LOOK_INTERVAL_S)
        due = [number for number in releases.missing if not_before.get(number, 0.0) < time.monotonic()]
        if not due:
            continue
        number = due[0]
        not_before[number] = time.monotonic() + _AGAIN_S
        try:
            await control.load(ensemble_name(number))
            await releases.refresh()
        except Problem as problem:
            log.warning("release of the route cannot be loaded", release=number, detail=problem.detail)
        except Exception:
            log.exception("restoring releases is defective")
        else:
            log.info("release of the route loaded", release=number)
