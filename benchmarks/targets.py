"""How a client asks: over HTTP as a raw body or a form, or Triton itself over gRPC."""

import http.client
import itertools
import json
import re
import select
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tritonclient.grpc as grpc
from tritonclient.utils import InferenceServerException

OK, REFUSED, BUSY, NO_ANSWER = 200, 400, 503, 0
_CROWDED = re.compile(r"queue|timeout expired|exceeds|inflight", re.IGNORECASE)


@dataclass(frozen=True)
class Reply:
    """`status` as HTTP has it, 0 where none came; `probabilities` in class order."""

    status: int
    body: dict[str, Any]

    @property
    def probabilities(self) -> list[float]:
        """In class order.

        Raises:
            RuntimeError: there are none.
        """
        if self.status != OK:
            raise RuntimeError(f"answered {self.status}: {str(self.body)[:300]}")
        values = self.body["probabilities"]
        return [float(value) for value in (values.values() if isinstance(values, dict) else values)]


class Connection(Protocol):
    """One client's, used by one thread."""

    def ask(self, photo: bytes, within_s: float | None = None) -> Reply:
        """Send one photo and wait, at most `within_s` if given; never raises for what the other side does."""

    def close(self) -> None:
        """End it."""


class Target(Protocol):
    """What can be asked."""

    def connect(self) -> Connection:
        """A connection of its own."""


@dataclass(frozen=True)
class HttpTarget:
    """A port of this machine; `form_field` for a system that takes no raw body."""

    port: int
    path: str = "/v1/predict"
    form_field: str | None = None
    timeout_s: float = 120
    kept_alive: bool = True

    def connect(self) -> Connection:
        """Kept open between photos, unless the system counts idle connections as work."""
        return _HttpConnection(self)

    def body(self, photo: bytes) -> tuple[bytes, str]:
        """The request's body and its Content-Type."""
        if self.form_field is None:
            return photo, "image/jpeg"
        head = f'--leaf\r\nContent-Disposition: form-data; name="{self.form_field}"; filename="leaf.jpg"\r\n'
        form = f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + photo + b"\r\n--leaf--\r\n"
        return form, "multipart/form-data; boundary=leaf"


_CALLERS = itertools.count()
_ADDRESSES = 250 * 250


class _HttpConnection:
    def __init__(self, target: HttpTarget) -> None:
        self._target = target
        # an address of its own: each connection is somebody else, as a single caller has limits of its own
        host = next(_CALLERS) % _ADDRESSES
        source = (f"127.0.{1 + host // 250}.{1 + host % 250}", 0)
        self._http = http.client.HTTPConnection(
            "127.0.0.1", target.port, timeout=target.timeout_s, source_address=source
        )

    def ask(self, photo: bytes, within_s: float | None = None) -> Reply:
        body, content_type = self._target.body(photo)
        headers = {"Content-Type": content_type} | ({} if self._target.kept_alive else {"Connection": "close"})
        self._http.timeout = self._target.timeout_s if within_s is None else within_s
        if self._http.sock is not None:
            if select.select([self._http.sock], [], [], 0)[0]:
                self._http.close()  # the server has ended the idle connection; browsers notice, too
            else:
                self._http.sock.settimeout(self._http.timeout)
        try:
            # who refuses may answer and hang up before it has read the photo: then the answer is there all the same
            with suppress(BrokenPipeError, ConnectionResetError):
                self._http.request("POST", self._target.path, body, headers)
            response = self._http.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._http.close()
            return Reply(NO_ANSWER, {})
        try:
            answer = json.loads(content)
        except ValueError:
            answer = {"body": content[:300].decode(errors="replace")}
        if isinstance(answer, list):  # of a batch of one
            answer = answer[0]
        answer = answer if isinstance(answer, dict) else {"body": answer}
        # a refusal inside a batch, where the framework has no status for one photo of it
        return Reply(REFUSED if response.status == OK and "error" in answer else response.status, answer)

    def close(self) -> None:
        self._http.close()


@dataclass(frozen=True)
class GrpcTarget:
    """Triton's ensemble itself; `queue_s` bounds the wait in its queues, as the gateway does."""

    port: int
    ensemble: str
    timeout_s: float = 120
    queue_s: float = 110

    def connect(self) -> Connection:
        """A client object of its own; they share one channel."""
        return _GrpcConnection(self)


class _GrpcConnection:
    def __init__(self, target: GrpcTarget) -> None:
        self._target = target
        self._client = grpc.InferenceServerClient(f"127.0.0.1:{target.port}")
        self._outputs = [grpc.InferRequestedOutput("probabilities")]

    def ask(self, photo: bytes, within_s: float | None = None) -> Reply:
        tensor = grpc.InferInput("encoded_image", [1, len(photo)], "UINT8")
        tensor.set_data_from_numpy(np.frombuffer(photo, np.uint8)[np.newaxis])
        try:
            result = self._client.infer(
                self._target.ensemble,
                [tensor],
                outputs=self._outputs,
                timeout=round(self._target.queue_s * 1e6),
                client_timeout=self._target.timeout_s if within_s is None else within_s,
            )
        except InferenceServerException as error:
            return Reply(status_of(error), {"detail": str(error.message())[:300]})
        return Reply(OK, {"probabilities": result.as_numpy("probabilities")[0].tolist()})

    def close(self) -> None:
        self._client.close()


def status_of(error: InferenceServerException) -> int:
    """What HTTP would say for gRPC's code."""
    code = str(error.status()).removeprefix("StatusCode.")
    if code == "INVALID_ARGUMENT":
        return REFUSED
    if code == "DEADLINE_EXCEEDED":
        return NO_ANSWER
    return BUSY if code in ("UNAVAILABLE", "RESOURCE_EXHAUSTED") and _CROWDED.search(str(error.message())) else 500
