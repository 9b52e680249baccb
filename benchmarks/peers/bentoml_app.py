"""BentoML with adaptive batching: a batchable API, whose clients send lists of one photo.

`max_concurrency` is what BentoML refuses by, with 429, `max_latency_ms` what its dispatcher gives up by, with 503,
where it foresees that an answer takes longer.
"""

import os
from pathlib import Path
from typing import Any

import bentoml

from benchmarks.peers.batches import BATCH, WORKERS, Batches
from benchmarks.peers.networks import reply

WHOLE_S = float(os.environ.get("PEER_WHOLE_S", "60"))
ADMITTED = os.environ.get("PEER_ADMITTED")


@bentoml.service(
    workers=WORKERS,
    traffic={"timeout": WHOLE_S} | ({"max_concurrency": int(ADMITTED)} if ADMITTED else {}),
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Leaves:
    """The release's networks, in each worker."""

    def __init__(self) -> None:
        self.answer = Batches()

    @bentoml.api(route="/v1/predict", batchable=True, max_batch_size=BATCH, max_latency_ms=round(1000 * WHOLE_S))
    def predict(self, photos: list[Path]) -> list[dict[str, Any]]:
        """A batch of files; an exception would fail all of them, so a refusal is an answer too."""
        answers = self.answer([photo.read_bytes() for photo in photos])
        return [{"error": "the photo cannot be decoded"} if each is None else reply(each) for each in answers]
