"""LitServe with a null model: a photo as a form field, decoded once to see that it is whole, the same answer always.

Set up as LitServe's documentation advises for cheap models: asynchronous calls, the fast (ZeroMQ) queue.
"""

import argparse
import io
from typing import Any

import litserve
from fastapi import UploadFile
from PIL import Image

CLASSES = ["cbb", "cbsd", "cgm", "cmd", "healthy"]


class NullModel(litserve.LitAPI):
    """One row of probabilities for every photo."""

    def setup(self, device: str) -> None:
        """There is nothing to load."""

    async def decode_request(self, request: UploadFile) -> bytes:
        """The form field `request`; LitServe takes no raw body."""
        return request.file.read()

    async def predict(self, photo: bytes) -> list[float]:
        """Look that the photo decodes, as the gateway does: at an eighth of its size."""
        with Image.open(io.BytesIO(photo)) as image:
            image.draft(None, (image.width // 8, image.height // 8))
            image.load()
        return [0.91, 0.02, 0.01, 0.03, 0.03]

    async def encode_response(self, output: list[float]) -> dict[str, Any]:
        """The least that a client needs."""
        return {"predicted_class_id": 0, "probabilities": dict(zip(CLASSES, output, strict=True))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    server = litserve.LitServer(
        NullModel(enable_async=True, api_path="/v1/predict"), accelerator="cpu", fast_queue=True
    )
    server.run(host="127.0.0.1", port=parser.parse_args().port, generate_client_file=False, log_level="warning")
