"""What single photos, batches and diagnoses share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request

from gateway.observe.traces import Traces
from gateway.predictions.answering import Answering
from gateway.predictions.journal import Journal
from gateway.predictions.slots import Slots
from gateway.settings import Settings
from gateway.uploads.reading import UploadReader

Charge = Callable[[Request, int, int], Awaitable[None]]
"""Counts photos against the caller's share, of a request of which so many were counted before; raises RateLimited where it is
used up."""
CountProblem = Callable[[str, str | None], None]
"""Counts a problem by its type and the kind of caller."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts by which photos are answered, shared by all requests of the process."""

    settings: Settings
    uploads: UploadReader
    answering: Answering
    slots: Slots
    journal: Journal
    charge: Charge
    count_problem: CountProblem
    traces: Traces
