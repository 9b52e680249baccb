"""OpenTelemetry traces of requests and their stages, sent by OTLP; nothing at all where no receiver is set.

Spans carry routes, statuses and request ids: no header, no address, nothing of the photo.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import Span

log = structlog.get_logger()

_SERVICE = "leaf-gateway"
_EXPORT_TIMEOUT_S = 5
_LAST_FLUSH_S = 3.0


class Traces:
    """The tracer of this process; create it once, in the process that answers.

    Args:
        endpoint: of the OTLP receiver by gRPC: `host:port` or `https://host:port`; empty traces nothing.
        share: of the requests that are traced. Callers may name the trace, and keep a request out of it; its sampled flag
            does not count, since anybody could have everything traced by it.
    """

    def __init__(self, endpoint: str = "", share: float = 1.0) -> None:
        self._provider = _provider(endpoint, share) if endpoint else None
        self._tracer = self._provider.get_tracer("gateway") if self._provider else None

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str]) -> Iterator[Span | None]:
        """The span of a request around the block, in the caller's trace where `traceparent` names one; None when off."""
        if self._tracer is None:
            yield None
            return
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        caller = TraceContextTextMapPropagator().extract(
            {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        )
        with self._tracer.start_as_current_span(
            method, caller, SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ) as span:
            yield span

    def stage(self, name: str) -> AbstractContextManager[object]:
        """A span `name` below the current one around the block: `check`, `infer` or `respond`."""
        if self._tracer is None:
            return nullcontext()
        return self._tracer.start_as_current_span(name, record_exception=False)

    def waited(self, name: str, started_ns: int, seconds: float) -> None:
        """A span for a wait that is known only afterwards: `started_ns` as of time.time_ns()."""
        if self._tracer is not None:
            self._tracer.start_span(name, start_time=started_ns).end(started_ns + round(seconds * 1e9))

    def headers(self) -> dict[str, str]:
        """`traceparent` of the current span, to be sent along to Triton; empty when off."""
        carrier: dict[str, str] = {}
        if self._tracer is not None:
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

            TraceContextTextMapPropagator().inject(carrier)
        return carrier

    async def close(self) -> None:
        """Send what waits, for a bounded time."""
        if self._provider is not None:
            # The exporter retries longer than anybody wants to wait for the end.
            sending = threading.Thread(target=self._provider.shutdown, daemon=True)
            sending.start()
            await asyncio.to_thread(sending.join, _LAST_FLUSH_S)
            if sending.is_alive():
                log.warning("traces lost", reason="their receiver did not answer in time")


def finish(span: Span, method: str, route: str, status: int, request_id: str) -> None:
    """Name the span of a request and note its outcome, as OpenTelemetry's conventions have it."""
    from opentelemetry.trace import StatusCode

    span.update_name(f"{method} {route}")
    span.set_attributes(
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "leaf.request_id": request_id,
        }
    )
    if status >= 500 or status == 0:
        span.set_status(StatusCode.ERROR)


def _provider(endpoint: str, share: float) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased

    drawn = _drawn(share)
    provider = TracerProvider(
        sampler=ParentBased(drawn, remote_parent_sampled=drawn),
        resource=Resource.create(
            {"service.name": _SERVICE, "service.instance.id": f"{socket.gethostname()}:{os.getpid()}"}
        ),
        shutdown_on_exit=False,
    )
    secure = endpoint.startswith("https://")
    exporter = OTLPSpanExporter(
        endpoint=endpoint if "://" in endpoint else f"http://{endpoint}", insecure=not secure, timeout=_EXPORT_TIMEOUT_S
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _drawn(share: float) -> Sampler:
    """Draws lots: OpenTelemetry's own share goes by the trace's id, which is the caller's choice."""
    from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
    from opentelemetry.trace import get_current_span

    class Drawn(Sampler):
        def should_sample(self, parent_context: Context | None, *_: object, **__: object) -> SamplingResult:
            drawn = random.random() < share
            trace_state = get_current_span(parent_context).get_span_context().trace_state
            return SamplingResult(Decision.RECORD_AND_SAMPLE if drawn else Decision.DROP, trace_state=trace_state)

        def get_description(self) -> str:
            return f"Drawn({share:g})"

    return Drawn()
