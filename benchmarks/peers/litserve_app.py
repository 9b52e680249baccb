"""LitServe with dynamic batching: `max_batch_size` and `batch_timeout` of its API, several workers, the fast queue.

What arrives while a worker computes is waiting when it is done, so a short `batch_timeout` fills the batches.
"""

import argparse
import os
from typing import Any

import litserve
from fastapi import UploadFile
from fastapi.responses import JSONResponse

from benchmarks.peers.batches import BATCH, WORKERS, Batches
from benchmarks.peers.networks import reply


class Leaves(litserve.LitAPI):
    """A photo as the form field `request`: LitServe takes no raw body."""

    def setup(self, device: str) -> None:  # noqa: ARG002  # LitServe passes it by name
        """Each worker has networks of its own."""
        self.answer = Batches()

    def decode_request(self, request: UploadFile) -> bytes:
        """Only the bytes: a batch is decoded together, in threads."""
        return request.file.read()

    def batch(self, inputs: list[bytes]) -> list[bytes]:
        """As they are."""
        return inputs

    def predict(self, photos: list[bytes]) -> list[list[float] | None]:
        """A batch of files."""
        return self.answer(photos)

    def unbatch(self, output: list[list[float] | None]) -> list[list[float] | None]:
        """One of the photos each."""
        return output

    def encode_response(self, output: list[float] | None) -> Any:
        """An exception here would fail the whole batch."""
        if output is None:
            return JSONResponse({"detail": "the photo cannot be decoded"}, 422)
        return reply(output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    server = litserve.LitServer(
        Leaves(max_batch_size=BATCH, batch_timeout=0.01, api_path="/v1/predict"),
        accelerator="cpu",
        workers_per_device=WORKERS,
        timeout=float(os.environ["PEER_QUEUE_S"]),  # of the wait for a worker
        fast_queue=True,
    )
    server.run(host="127.0.0.1", port=parser.parse_args().port, generate_client_file=False, log_level="warning")
