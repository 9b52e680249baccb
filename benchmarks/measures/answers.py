"""That all systems give the same answers: what is compared must do the same work."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import numpy as np

from benchmarks.measures.fleet import Fleet
from benchmarks.targets import Target


class DifferentAnswersError(RuntimeError):
    """A system answers something else than the reference."""


def ask_all(target: Target, photos: Sequence[bytes], clients: int) -> list[list[float]]:
    """Probabilities of each photo, `clients` at once: a batch whose answers are mixed up must show.

    Raises:
        RuntimeError: a photo was not answered.
    """

    def ask(photo: bytes) -> list[float]:
        with closing(target.connect()) as connection:
            return connection.ask(photo).probabilities

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(ask, photos))


def agreement(reference: Sequence[Sequence[float]], answers: Sequence[Sequence[float]], bound: float) -> dict[str, Any]:
    """How far answers are from the reference's, both [photos][classes].

    Returns:
        `same_class` as a share; `largest_difference` and `mean_difference` of a probability; `differ`: the numbers of
        photos where one differs by more than `bound`, or the class does although the reference's two best are further
        apart than that.
    """
    a, b = np.asarray(reference), np.asarray(answers)
    same, distance = a.argmax(1) == b.argmax(1), np.abs(a - b)
    second, best = np.sort(a, axis=1)[:, -2:].T
    alike = (distance.max(1) <= bound) & (same | (best - second <= bound))  # NaN is not alike
    return {
        "photos": len(a),
        "same_class": float(same.mean()),
        "largest_difference": float(distance.max()),
        "mean_difference": float(distance.mean()),
        "differ": [int(number) for number in np.flatnonzero(~alike)],
    }


def check(
    fleet: Fleet, reference: str, photos: Sequence[bytes], clients: int, bound: float
) -> dict[str, dict[str, Any]]:
    """Compare every system with the reference, by name.

    Raises:
        DifferentAnswersError: some answers differ; names all systems where one does.
    """
    with fleet.turn(reference) as running:
        wanted = ask_all(running.target, photos, clients)
    found = {}
    for name in fleet.names():
        if name != reference:
            with fleet.turn(name) as running:
                found[name] = agreement(wanted, ask_all(running.target, photos, clients), bound)
    far = [
        f"{name} on {len(each['differ'])} of {each['photos']} photos (numbers {', '.join(map(str, each['differ'][:8]))}), "
        f"by up to {each['largest_difference']:.3f}"
        for name, each in found.items()
        if each["differ"]
    ]
    if far:
        raise DifferentAnswersError(
            f"Classes, or probabilities by more than {bound}, differ from {reference}'s: {'; '.join(far)}. Nothing was "
            "timed: systems that answer differently do different work. A release in int8 or of seeded networks may need a "
            "higher --bound."
        )
    return found
