"""BentoML with adaptive batching: a batchable API, whose clients send lists of one photo.

`max_latency_ms` is what BentoML's dispatcher refuses by, with 503, where it foresees a longer wait.
"""

import os
from pathlib import Path
from typing import Any

import bentoml

from benchmarks.peers.batches import BATCH, WORKERS, Batches
from benchmarks.peers.networks import reply

DEADLINE_S = float(os.environ.get("PEER_DEADLINE_S", "60"))


@bentoml.service(
    workers=WORKERS,
    traffic={"timeout": DEADLINE_S},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Leaves:
    """The release's networks, in each worker."""

    def __init__(self) -> None:
        self.answer = Batches()

    @bentoml.api(route="/v1/predict", batchable=True, max_batch_size=BATCH, max_latency_ms=round(1000 * DEADLINE_S))
    def predict(self, photos: list[Path]) -> list[dict[str, Any]]:
        """A batch of files; an exception would fail all of them, so a refusal is an answer too."""
        answers = self.answer([photo.read_bytes() for photo in photos])
        return [{"error": "the photo cannot be decoded"} if each is None else reply(each) for each in answers]
