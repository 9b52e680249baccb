"""What a member answered photos that it never trained on: `validation.npz`, `test.npz` and `oof.npz` of its folder."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.errors import MemberError


@dataclass(frozen=True)
class Predictions:
    """Stored logits of photos that the member never trained on."""

    logits: NDArray[np.float32]
    """[photos, classes]"""
    labels: NDArray[np.int64]
    """[photos]"""
    image_ids: tuple[str, ...]
    split_hash: str

    def same_photos(self, other: "Predictions") -> bool:
        """Whether both are about the same photos of the same split."""
        return self.split_hash == other.split_hash and self.same_labels(other)

    def same_labels(self, other: "Predictions") -> bool:
        """Whether both are about the same photos with the same labels, however they were split."""
        return self.image_ids == other.image_ids and np.array_equal(self.labels, other.labels)

    def probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """Softmax of the logits over a temperature, [photos, classes]."""
        scaled = self.logits.astype(np.float64) / temperature
        shifted = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def read_predictions(file: Path, classes: int) -> Predictions | None:
    """None where the file is missing: seeded members were never evaluated.

    Raises:
        MemberError: it is damaged, or its arrays do not belong together.
    """
    if not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as arrays:
            read = Predictions(
                logits=arrays["logits"].astype(np.float32),
                labels=arrays["labels"].astype(np.int64),
                image_ids=tuple(str(i) for i in arrays["image_ids"]),
                split_hash=str(arrays["split_hash"]),
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise MemberError(f"{file} is damaged ({error}): evaluate the member again.") from error
    photos = len(read.image_ids)
    if read.logits.shape != (photos, classes) or read.labels.shape != (photos,) or not photos:
        raise MemberError(
            f"{file} holds logits {read.logits.shape} and labels {read.labels.shape} of {photos} photos and {classes} "
            "classes: evaluate the member again."
        )
    if not np.isfinite(read.logits).all() or read.labels.min() < 0 or read.labels.max() >= classes:
        raise MemberError(f"{file} holds logits that are no numbers, or labels of no class: train the member again.")
    return read
