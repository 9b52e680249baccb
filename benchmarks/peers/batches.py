"""A batch as LitServe and BentoML hand it over: decoded in threads, the networks over what could be decoded."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.peers.networks import Networks, Views

BATCH = 8
WORKERS = int(os.environ.get("PEER_WORKERS", "1"))


class Batches:
    """The release's networks, for one worker process."""

    def __init__(self) -> None:
        self._networks = Networks(int(os.environ["PEER_THREADS"]))
        self._threads = ThreadPoolExecutor(len(os.sched_getaffinity(0)))

    def __call__(self, photos: Sequence[bytes]) -> list[list[float] | None]:
        """Probabilities of each photo; None of one that cannot be decoded, whose neighbours are answered all the same."""
        views = list(self._threads.map(self._decode, photos))
        whole = [each for each in views if each is not None]
        answers = iter(self._networks(whole) if whole else [])
        return [None if each is None else next(answers) for each in views]

    def _decode(self, photo: bytes) -> Views | None:
        try:
            return self._networks.views(photo)
        except OSError:
            return None
