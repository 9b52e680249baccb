"""What is known of one photo once it was answered, whatever the language."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gateway.triton.release import Answer, Release
from gateway.uploads.multipart import Upload


@dataclass(frozen=True, slots=True)
class Outcome:
    """One photo's way through checks and inference; what Triton was sent is not kept, since several photos would add up.

    Attributes:
        upload: the file as it was sent.
        sha256: of its bytes, hex.
        width: pixels of the upright photo, like `height`.
        release: the one that answered.
        answer: its probabilities.
        quality: hints such as `blurred`.
        queue_s: seconds that it waited for the other photos of its request, for memory and for a thread.
        check_s: seconds of decoding it; `infer_s` of Triton.
        inferred_at: end of the inference, as of time.perf_counter().
    """

    upload: Upload
    sha256: str
    width: int
    height: int
    release: Release
    answer: Answer
    quality: Sequence[str]
    queue_s: float
    check_s: float
    infer_s: float
    inferred_at: float

    @property
    def class_id(self) -> int:
        """The likeliest class."""
        return int(np.argmax(self.answer.ensemble))

    def timings_ms(self, receive_s: float, respond_s: float) -> dict[str, float]:
        """Milliseconds of each stage, and their sum.

        Args:
            receive_s: seconds until the whole request had arrived.
            respond_s: seconds spent on the photo after its inference.
        """
        stages = {
            "receive": receive_s,
            "queue": self.queue_s,
            "check": self.check_s,
            "infer": self.infer_s,
            "respond": respond_s,
        }
        timings = {stage: round(seconds * 1000, 2) for stage, seconds in stages.items()}
        timings["total"] = round(sum(timings.values()), 2)
        return timings
