"""What the gateway counts for Prometheus, one set of figures for all its processes.

Each process writes its figures to files in the folder that PROMETHEUS_MULTIPROC_DIR names; `MetricsServer` adds them up.
prometheus_client looks at that variable when it is first imported: import this module after it was set. Without it the
figures stay in the process, which is enough where nobody reads them.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.records.entry import PredictionEntry
from gateway.triton.release import Release

log = structlog.get_logger()

STAGES = ("receive", "queue", "check", "infer", "respond")
"""Keys of `PredictionEntry.timings_ms` that are parts of the total."""
UNMATCHED = "unmatched"
"""The route of a path that nobody serves: such paths are endless, and each label value is a series."""

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_CONFIDENCE_BUCKETS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_REQUEST_BUCKETS = (*_STAGE_BUCKETS, 10.0, 30.0)
_SAMPLE_INTERVAL_S = 1.0
_MILLISECONDS = 1000


class RecorderFigures(Protocol):
    """What is read from the recorder of predictions: three running totals and the present length of its queue."""

    @property
    def written(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def photos_dropped(self) -> int: ...


class ReadinessFigures(Protocol):
    """What is read from the readiness of Triton."""

    def is_ready(self) -> bool: ...


class SlotFigures(Protocol):
    """What is read from the slots of photos."""

    @property
    def photos(self) -> int: ...
    @property
    def most_photos(self) -> int: ...


class ReleaseFigures(Protocol):
    """What is read from the releases."""

    @property
    def known(self) -> Iterable[Release]: ...


class Metrics:
    """The figures of one process; cheap enough to be kept for every request."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "gateway_http_requests",
            "HTTP requests by route template, method and status; 499: the client left, 0: cut off.",
            ["route", "method", "status"],
            registry=registry,
        )
        self._duration = Histogram(
            "gateway_http_request_duration_seconds",
            "Seconds from the request's head to the end of its answer.",
            ["route"],
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self._in_flight = Gauge(
            "gateway_http_requests_in_flight", "HTTP requests in work.", registry=registry, multiprocess_mode="livesum"
        )
        self._photos = Gauge(
            "gateway_photos_in_work", "Photos in work.", registry=registry, multiprocess_mode="livesum"
        )
        self._most_photos = Gauge(
            "gateway_photos_let_in",
            "Photos in work beyond which the next is refused: GATEWAY_MAX_IN_FLIGHT, or what is answered in time.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._refusals = Counter(
            "gateway_refusals",
            "Problems answered, also to single photos of batches and diagnoses, by the last part of their type.",
            ["type"],
            registry=registry,
        )
        self._rate_limited = Counter(
            "gateway_rate_limited",
            "Requests above the caller's share, by kind of caller.",
            ["caller"],
            registry=registry,
        )
        self._predictions = Counter(
            "gateway_predictions",
            "Photos answered: which route asked, decision, likeliest class, release.",
            ["route", "decision", "class", "release"],
            registry=registry,
        )
        self._stages = Histogram(
            "gateway_prediction_stage_seconds",
            "Seconds of a photo: receive, queue (for memory and a thread), check, infer, respond.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=registry,
        )
        self._confidence = Histogram(
            "gateway_prediction_confidence",
            "Probability of the likeliest class of each answered photo, by release.",
            ["release"],
            buckets=_CONFIDENCE_BUCKETS,
            registry=registry,
        )
        self._reference_classes = _reference(
            "gateway_reference_class_share",
            "Share of the release's validation photos that it gave this class.",
            ["release", "class"],
            registry,
        )
        self._reference_decisions = _reference(
            "gateway_reference_decision_share",
            "Share of the release's validation photos with this decision.",
            ["release", "decision"],
            registry,
        )
        self._reference_confidence = _reference(
            "gateway_reference_confidence",
            "Mean probability of the likeliest class on the release's validation photos.",
            ["release"],
            registry,
        )
        self._records_written = Counter(
            "gateway_records_written", "Predictions written to the database.", registry=registry
        )
        self._records_dropped = Counter(
            "gateway_records_dropped", "Predictions lost because the database was away too long.", registry=registry
        )
        self._records_waiting = Gauge(
            "gateway_records_waiting",
            "Predictions that wait for the database.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._photos_dropped = Counter(
            "gateway_photos_dropped",
            "Photos that were to be kept and are not: too large, not readable, or no room.",
            registry=registry,
        )
        self._shadows = Counter(
            "gateway_shadow_photos",
            "Photos that a shadow release was offered: answered, failed, or dropped while it was busy.",
            ["outcome", "release"],
            registry=registry,
        )
        self._ready = Gauge(
            "gateway_triton_ready",
            "1 where Triton has answered every process of the gateway lately, else 0.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._workers = Gauge(
            "gateway_workers", "Processes that answer requests.", registry=registry, multiprocess_mode="livesum"
        )
        self._workers.set(1)
        self._seen_written = self._seen_dropped = self._seen_photos_dropped = 0
        self._described: set[int] = set()

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count the block as a request in work."""
        self._in_flight.inc()
        try:
            yield
        finally:
            self._in_flight.dec()

    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Note an answered request; `route` is a template, never the path itself."""
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()
        self._duration.labels(route).observe(seconds)

    def observe_problem(self, problem_type: str, caller_kind: str | None) -> None:
        """Note the refusal of a request, or of one photo of several, by its type, such as `/problems/overloaded`."""
        slug = problem_type.rpartition("/")[2]
        self._refusals.labels(slug).inc()
        if slug == "rate-limited":
            self._rate_limited.labels(caller_kind or "unknown").inc()

    def observe(self, entry: PredictionEntry) -> None:
        """Note one answered photo."""
        self._predictions.labels(entry.kind, entry.decision, entry.class_key, str(entry.release)).inc()
        self._confidence.labels(str(entry.release)).observe(entry.confidence)
        for stage in STAGES:
            if stage in entry.timings_ms:
                self._stages.labels(stage).observe(entry.timings_ms[stage] / _MILLISECONDS)

    def observe_shadow(self, outcome: str, release: int) -> None:
        """Note what became of a photo that the shadow `release` was offered."""
        self._shadows.labels(outcome, str(release)).inc()

    def describe(self, release: Release) -> None:
        """Show what the release answered on its validation photos, where it says so."""
        if (reference := release.reference) is None:
            return
        number = str(release.number)
        for leaf_class, share in zip(release.classes, reference.class_shares, strict=True):
            self._reference_classes.labels(number, leaf_class.key).set(share)
        for decision, share in reference.decision_shares.items():
            self._reference_decisions.labels(number, decision).set(share)
        self._reference_confidence.labels(number).set(reference.confidence_mean)

    async def follow(
        self,
        readiness: ReadinessFigures,
        recorder: RecorderFigures | None = None,
        releases: ReleaseFigures | None = None,
        slots: SlotFigures | None = None,
    ) -> None:
        """Read the state of the parts every second until cancelled, and once more then."""
        try:
            while True:
                self.sample(readiness, recorder, releases, slots)
                await asyncio.sleep(_SAMPLE_INTERVAL_S)
        finally:
            self.sample(readiness, recorder, releases, slots)

    def sample(
        self,
        readiness: ReadinessFigures,
        recorder: RecorderFigures | None = None,
        releases: ReleaseFigures | None = None,
        slots: SlotFigures | None = None,
    ) -> None:
        """Read the state of the parts now."""
        self._ready.set(readiness.is_ready())
        if slots is not None:
            self._photos.set(slots.photos)
            self._most_photos.set(slots.most_photos)
        if recorder is not None:
            written, dropped, photos_dropped = recorder.written, recorder.dropped, recorder.photos_dropped
            self._records_written.inc(written - self._seen_written)
            self._records_dropped.inc(dropped - self._seen_dropped)
            self._photos_dropped.inc(photos_dropped - self._seen_photos_dropped)
            self._seen_written, self._seen_dropped, self._seen_photos_dropped = written, dropped, photos_dropped
            self._records_waiting.set(recorder.waiting)
        for release in releases.known if releases is not None else ():
            if release.number not in self._described:
                self.describe(release)
                self._described.add(release.number)


def _reference(name: str, says: str, labels: list[str], registry: CollectorRegistry) -> Gauge:
    return Gauge(name, says, labels, registry=registry, multiprocess_mode="livemax")
