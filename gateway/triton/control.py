"""Triton's model control: load, unload, and what is loaded. Slow calls of operators, apart from the photos' client."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import tritonclient.grpc.aio as grpc_aio
from tritonclient.utils import InferenceServerException

from gateway.errors import ReleaseRefused, TritonUnavailable
from gateway.settings import Settings

_RESTRICTED_PREFIX = "triton-grpc-protocol-"
_LOOK_TIMEOUT_S = 5.0
_UNLOADED = "unloaded"
_AWAY = ("UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED")
_SAID_BY_A_MODEL = ("load failed", "failed to load", "failed to poll", "unknown model")


def control_headers(settings: Settings) -> dict[str, str]:
    """Metadata by which Triton's restricted API (`--grpc-restricted-protocol`) knows who may control models."""
    setting = settings.triton_control_header.get_secret_value()
    if not setting:
        return {}
    name, _, secret = setting.partition(":")
    return {f"{_RESTRICTED_PREFIX}{name.lower().removeprefix(_RESTRICTED_PREFIX)}": secret}


class Control:
    """Create it inside a running event loop, close it there too."""

    def __init__(self, settings: Settings) -> None:
        self._client = grpc_aio.InferenceServerClient(settings.triton_url)
        self._headers = control_headers(settings)
        self._load_timeout_s = settings.load_timeout_s

    async def close(self) -> None:
        """Close the channel."""
        await self._client.close()

    async def load(self, model: str) -> None:
        """Load a model with what it needs, or load it anew where its files have changed; ready and warm afterwards.

        Raises:
            ReleaseRefused: Triton cannot load it; carries Triton's reason.
            TritonUnavailable
        """
        try:
            await self._client.load_model(model, headers=self._headers, client_timeout=self._load_timeout_s)
        except InferenceServerException as error:
            raise _as_problem(error, model) from error

    async def unload(self, model: str) -> None:
        """Unload a model; what it is working on is finished. The steps of an ensemble stay.

        Raises:
            ReleaseRefused, TritonUnavailable
        """
        try:
            await self._client.unload_model(model, headers=self._headers, client_timeout=_LOOK_TIMEOUT_S)
        except InferenceServerException as error:
            raise _as_problem(error, model) from error

    async def versions(self) -> dict[str, dict[str, str]]:
        """States by version by model, such as `{"average": {"7": "READY"}}`, of all that was ever loaded.

        Raises:
            TritonUnavailable
        """
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for model in await self._index():
            if model.version:
                found[model.name][model.version] = model.state
        return found

    async def failures(self) -> dict[tuple[str, int], str]:
        """Why versions of models failed to load, by model and version.

        Raises:
            TritonUnavailable
        """
        return {
            (model.name, int(model.version)): " ".join(model.reason.split())
            for model in await self._index()
            if model.version and model.state == "UNAVAILABLE" and model.reason not in ("", _UNLOADED)
        }

    async def _index(self) -> Sequence[Any]:
        try:
            index = await self._client.get_model_repository_index(headers=self._headers, client_timeout=_LOOK_TIMEOUT_S)
        except InferenceServerException as error:
            raise _as_problem(error, "the repository") from error
        return list(index.models)


def _as_problem(error: InferenceServerException, model: str) -> ReleaseRefused | TritonUnavailable:
    status = str(error.status()).removeprefix("StatusCode.")
    message = " ".join(str(error.message()).split())
    if "restricted" in message:
        return TritonUnavailable(
            "Triton's model control is restricted. Set GATEWAY_TRITON_CONTROL_HEADER to the name:secret it was started with."
        )
    if status in _AWAY and not any(words in message for words in _SAID_BY_A_MODEL):
        return TritonUnavailable(
            f"Triton does not answer ({status}: {message[:200]}). Check that it runs, then try again."
        )
    return ReleaseRefused(f"Triton refuses {model}: {message[:500]}")
