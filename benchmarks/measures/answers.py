"""That all systems give the same answers: what is compared must do the same work."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.measures.fleet import Fleet
from benchmarks.targets import Target


class DifferentAnswersError(RuntimeError):
    """A system answers something else than the reference."""


def ask_all(target: Target, photos: Sequence[bytes]) -> list[list[float]]:
    """Probabilities of each photo, one after the other.

    Raises:
        RuntimeError: a photo was not answered.
    """
    connection = target.connect()
    try:
        return [connection.ask(photo).probabilities for photo in photos]
    finally:
        connection.close()


def agreement(reference: Sequence[Sequence[float]], answers: Sequence[Sequence[float]]) -> dict[str, float]:
    """`same_class` as a share; `largest_difference` and `mean_difference` of a probability."""
    a, b = np.asarray(reference), np.asarray(answers)
    return {
        "photos": len(a),
        "same_class": float((a.argmax(1) == b.argmax(1)).mean()),
        "largest_difference": float(np.abs(a - b).max()),
        "mean_difference": float(np.abs(a - b).mean()),
    }


def check(fleet: Fleet, reference: str, photos: Sequence[bytes], bound: float) -> dict[str, dict[str, Any]]:
    """Compare every system with the reference, by name.

    Raises:
        DifferentAnswersError: a probability differs by more than `bound`; names all systems where one does.
    """
    with fleet.turn(reference) as running:
        wanted = ask_all(running.target, photos)
    found = {}
    for name in fleet.names():
        if name != reference:
            with fleet.turn(name) as running:
                found[name] = agreement(wanted, ask_all(running.target, photos))
    far = [f"{name} by {each['largest_difference']:.3f}" for name, each in found.items() if not within(each, bound)]
    if far:
        raise DifferentAnswersError(
            f"Probabilities differ from {reference}'s by more than {bound}: {', '.join(far)}. Nothing was timed: systems that "
            "answer differently do different work. A release in int8 or of seeded networks may need a higher --bound."
        )
    return found


def within(figures: dict[str, float], bound: float) -> bool:
    """False of NaN too."""
    return figures["largest_difference"] <= bound
