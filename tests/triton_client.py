"""Asks a real Triton over gRPC, as the gateway does, but past it."""

import numpy as np
import tritonclient.grpc as grpc
from numpy.typing import NDArray

TIMEOUT_S = 30


def image_input(encoded: bytes) -> grpc.InferInput:
    """An image file as the tensor `encoded_image`, uint8 [1, bytes]."""
    tensor = grpc.InferInput("encoded_image", [1, len(encoded)], "UINT8")
    tensor.set_data_from_numpy(np.frombuffer(encoded, np.uint8)[None])
    return tensor


def infer(client: grpc.InferenceServerClient, model: str, encoded: bytes, outputs: list[str]) -> dict[str, NDArray]:
    """Outputs by name, without the batch axis."""
    wanted = [grpc.InferRequestedOutput(name) for name in outputs]
    result = client.infer(model, [image_input(encoded)], outputs=wanted, client_timeout=TIMEOUT_S)
    return {name: result.as_numpy(name)[0] for name in outputs}
