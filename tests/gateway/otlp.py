"""A real receiver of OpenTelemetry traces: OTLP by gRPC, as the gateway sends it, and by HTTP, as Triton does."""

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services

HEX_IDS = ("traceId", "spanId", "parentSpanId")


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it came over the wire; ids in hex."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, object]
    started_ns: int
    ended_ns: int
    failed: bool


@dataclass
class Receiver:
    """Where to send traces to, and what came."""

    grpc_port: int = 0
    http_port: int = 0
    spans: list[ReceivedSpan] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def take(self, request: messages.ExportTraceServiceRequest) -> messages.ExportTraceServiceResponse:
        """Keep the spans of one export."""
        self.bodies.append(request.SerializeToString())
        for of_resource in request.resource_spans:
            resource = {a.key: a.value.string_value for a in of_resource.resource.attributes}
            for of_scope in of_resource.scope_spans:
                self.spans += [
                    ReceivedSpan(
                        service=resource.get("service.name", ""),
                        name=span.name,
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        attributes={
                            a.key: getattr(a.value, a.value.WhichOneof("value") or "") for a in span.attributes
                        },
                        started_ns=span.start_time_unix_nano,
                        ended_ns=span.end_time_unix_nano,
                        failed=span.status.code == span.status.STATUS_CODE_ERROR,
                    )
                    for span in of_scope.spans
                ]
        return messages.ExportTraceServiceResponse()

    def of_trace(self, trace_id: str) -> list[ReceivedSpan]:
        """All spans of one trace that came so far."""
        return [span for span in self.spans if span.trace_id == trace_id]


def from_json(body: bytes) -> messages.ExportTraceServiceRequest:
    """OTLP's own JSON, in which ids are hexadecimal and not, as protobuf has it, base64."""

    def in_base64(node: Any) -> Any:
        if isinstance(node, list):
            return [in_base64(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {
            key: b64encode(bytes.fromhex(value)).decode() if key in HEX_IDS else in_base64(value)
            for key, value in node.items()
        }

    return ParseDict(in_base64(json.loads(body)), messages.ExportTraceServiceRequest(), ignore_unknown_fields=True)


@contextmanager
def otlp_receiver() -> Iterator[Receiver]:
    """A receiver on two ports of 127.0.0.1."""
    receiver = Receiver()

    class Service(services.TraceServiceServicer):
        def Export(  # noqa: N802 - named by the protocol
            self, request: messages.ExportTraceServiceRequest, _context: grpc.ServicerContext
        ) -> messages.ExportTraceServiceResponse:
            return receiver.take(request)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_json = self.headers["Content-Type"] == "application/json"
            receiver.take(from_json(body) if is_json else messages.ExportTraceServiceRequest.FromString(body))
            answer = b"{}" if is_json else messages.ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", self.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    by_grpc = grpc.server(ThreadPoolExecutor(2))
    services.add_TraceServiceServicer_to_server(Service(), by_grpc)
    receiver.grpc_port = by_grpc.add_insecure_port("127.0.0.1:0")
    by_grpc.start()
    by_http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.http_port = by_http.server_port
    thread = threading.Thread(target=by_http.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        by_grpc.stop(0).wait()
        by_http.shutdown()
        by_http.server_close()
        thread.join()
