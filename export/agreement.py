"""How far one network's answers to some photos are from another's: half precision from float32, a plan from its ONNX file."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALLEST_SPREAD = 0.02
CLEAR_MARGIN = 0.05


@dataclass(frozen=True)
class Agreement:
    """What moved between two answers to the same photos."""

    spread: float
    """Largest standard deviation of a class's expected probability over the photos; little of it proves nothing."""
    not_finite: int
    """Photos that were answered with what is no number."""
    changed: int
    """Photos whose likeliest class changed though its expected margin is clear."""
    difference: float
    """Largest difference of a probability."""

    @property
    def proves_something(self) -> bool:
        """Whether the expected answers differ from photo to photo."""
        return self.spread >= SMALLEST_SPREAD


def agreement(expected: NDArray[np.float32], answered: NDArray[np.float32]) -> Agreement:
    """Compare probabilities, [photos, classes] each."""
    ordered = np.sort(expected, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > CLEAR_MARGIN
    return Agreement(
        spread=float(expected.std(axis=0).max()),
        not_finite=int((~np.isfinite(answered)).any(axis=1).sum()),
        changed=int((answered.argmax(axis=1) != expected.argmax(axis=1))[clear].sum()),
        difference=float(np.abs(answered - expected).max()),
    )
