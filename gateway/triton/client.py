"""The one Triton client of the process: calls with deadlines, and Triton's errors as this room's problems."""

import re
from collections.abc import Mapping

import numpy as np
import structlog
import tritonclient.grpc.aio as grpc_aio
from numpy.typing import NDArray
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.utils import InferenceServerException

from gateway.errors import (
    DeadlineExceeded,
    InferenceFailed,
    Problem,
    ReleaseGone,
    TritonQueueFull,
    TritonUnavailable,
    UndecodableImage,
)
from gateway.settings import Settings
from gateway.triton.control import control_headers
from gateway.triton.release import INPUT_NAME, OUTPUT_NAME, Answer, Release

log = structlog.get_logger()

_CONTROL_TIMEOUT_S = 3.0
_MICROSECONDS = 1_000_000
_CHANNEL_ARGUMENTS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # gRPC's own back-off grows to two minutes, far longer than Triton needs to restart.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
# The real DALI backend reports a broken image as UNKNOWN; only its text tells.
_DECODING = re.compile(r"preprocess|decod|nvimagecodec|dali", re.IGNORECASE)
# The stand-in says so by its code too, as Triton does of an output that it does not have or of a wrong shape.
_UNDECODABLE = re.compile(r"decod|nvimagecodec", re.IGNORECASE)
_GONE = re.compile(r"unknown model|no available versions|not found|is not ready|unloading", re.IGNORECASE)
_QUEUE = re.compile(r"queue|timeout expired|inflight", re.IGNORECASE)


class Triton:
    """Async client; create it inside a running event loop, close it there too."""

    def __init__(self, settings: Settings) -> None:
        self._client = grpc_aio.InferenceServerClient(settings.triton_url, channel_args=_CHANNEL_ARGUMENTS)
        self._control_headers = control_headers(settings)
        self._queue_budget_us = round(settings.queue_timeout_s * _MICROSECONDS)
        self._infer_timeout_s = settings.infer_timeout_s

    async def close(self) -> None:
        """Close the channel; running calls are cancelled."""
        await self._client.close()

    async def ready_models(self) -> list[str]:
        """Names of all models that have a ready version.

        Raises:
            TritonUnavailable and the other problems of `as_problem`
        """
        try:
            index = await self._client.get_model_repository_index(
                headers=self._control_headers, client_timeout=_CONTROL_TIMEOUT_S
            )
        except InferenceServerException as error:
            raise as_problem(error) from error
        return sorted({model.name for model in index.models if model.state == "READY"})

    async def model_parameters(self, model: str) -> Mapping[str, str]:
        """The `parameters` of a model's configuration, by name.

        Raises:
            TritonUnavailable and the other problems of `as_problem`
        """
        return {name: value.string_value for name, value in (await self.model_config(model)).parameters.items()}

    async def model_config(self, model: str) -> ModelConfig:
        """The configuration that a model was loaded with.

        Raises:
            TritonUnavailable and the other problems of `as_problem`
        """
        try:
            reply = await self._client.get_model_config(model, client_timeout=_CONTROL_TIMEOUT_S)
        except InferenceServerException as error:
            raise as_problem(error) from error
        return reply.config

    async def infer(
        self,
        release: Release,
        image: bytes,
        request_id: str,
        explain: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask one release about one image.

        Args:
            release: whose ensemble is called.
            image: an image file, sent as UINT8 `[1, len(image)]`.
            request_id: shown in Triton's logs and traces.
            explain: whether to fetch the class activation maps, of members that have them and say what they see.
            headers: gRPC metadata, such as `traceparent`; names in lower case.

        Raises:
            UndecodableImage: the preprocessing step refused the image, or another one in its batch.
            TritonQueueFull, TritonUnavailable, ReleaseGone, DeadlineExceeded, InferenceFailed
        """
        encoded = InferInput(INPUT_NAME, [1, len(image)], "UINT8")
        encoded.set_data_from_numpy(np.frombuffer(image, np.uint8)[np.newaxis])
        rows = [OUTPUT_NAME, *(member.output for member in release.members)]
        maps = {m.name: m.activation_map for m in release.members if explain and m.activation_map and m.view}
        outlier = [release.outlier.output] if release.outlier else []
        try:
            result = await self._client.infer(
                release.ensemble,
                [encoded],
                outputs=[InferRequestedOutput(name) for name in (*rows, *outlier, *maps.values())],
                request_id=request_id,
                timeout=self._queue_budget_us,
                client_timeout=self._infer_timeout_s,
                headers=headers,
            )
        except InferenceServerException as error:
            raise as_problem(error) from error
        classes = len(release.classes)
        ensemble, *members = (_output(result, name, (classes,)) for name in rows)
        return Answer(
            ensemble,
            tuple(members),
            outlier_score=float(_output(result, outlier[0], (1,))[0]) if outlier else None,
            activation_maps={member: _output(result, name, (classes, None, None)) for member, name in maps.items()},
        )


def as_problem(error: InferenceServerException) -> Problem:
    """What a failed call means to the caller; Triton's own words go to the log only."""
    status = str(error.status()).removeprefix("StatusCode.")
    message = str(error.message())
    log.warning("triton refused", status=status, message=message[:500])
    if status == "DEADLINE_EXCEEDED":
        return DeadlineExceeded("The inference server took too long. Try again in a few seconds.")
    if status in ("NOT_FOUND", "UNAVAILABLE") and _GONE.search(message):
        return ReleaseGone("The release was just unloaded. Try again in a second.")
    if status in ("UNAVAILABLE", "RESOURCE_EXHAUSTED") and _QUEUE.search(message):
        return TritonQueueFull("The inference server's queue is full. Try again in a second.")
    if status in ("UNAVAILABLE", "CANCELLED"):
        return TritonUnavailable("The inference server does not answer. Try again in a few seconds.")
    refusal = {"INVALID_ARGUMENT": _UNDECODABLE, "UNKNOWN": _DECODING}.get(status)
    if refusal is not None and refusal.search(message):
        return UndecodableImage("The image cannot be decoded. Save it again as JPEG or PNG and send that.")
    return InferenceFailed("The inference server failed. Report it with the request id if it stays so.")


def _output(result: grpc_aio.InferResult, name: str, shape: tuple[int | None, ...]) -> NDArray[np.float32]:
    """One image's part of an output FP32 `[1, *shape]`; None in `shape` stands for any size but 0."""
    values = result.as_numpy(name)
    if values is None or not _fits(values.shape, (1, *shape)) or not np.isfinite(values).all():
        raise InferenceFailed(f"The inference server returned no valid `{name}`. Report it with the request id.")
    row: NDArray[np.float32] = values[0]
    return row


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        size == want if want else size for size, want in zip(shape, wanted, strict=True)
    )
