"""Whether one member's macro-F1 differs from another's by more than the photos' chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.evaluation.resampling import LEVEL, Draws, Values, confusions, f1_macro, interval, resample
from training.folder import Predictions


@dataclass(frozen=True)
class Difference:
    """New minus old, share 0-1, with its 95 % interval."""

    value: float
    low: float
    high: float
    method: str


def compare_f1_macro(new: Predictions, old: Predictions, classes: int) -> Difference:
    """Percentile bootstrap (Efron 1979) of the difference of macro-F1, with a fixed seed.

    Where both were tested on the same photos each resample takes the same photos of both, so that what is hard for both
    cancels out; otherwise the two are drawn apart and the interval is wider.

    Args:
        new: logits [N, classes] and labels [N].
        old: logits [M, classes] and labels [M].
        classes: how many there are.
    """
    mine, theirs = _ordered(new), _ordered(old)
    same = np.array_equal(mine.image_ids, theirs.image_ids) and np.array_equal(mine.labels, theirs.labels)
    if not same:  # other photos: no photo's place may tie them together
        order = np.random.default_rng(1).permutation(len(theirs.labels))
        theirs = Predictions(theirs.logits[order], theirs.labels[order], theirs.image_ids[order], theirs.split_hash)
    value = float(_f1_of(mine, classes)[0] - _f1_of(theirs, classes)[0])
    low, high = interval(_f1_resampled(mine, classes) - _f1_resampled(theirs, classes))
    count = f"{len(mine.labels)}" if same else f"{len(mine.labels)} and {len(theirs.labels)} other"
    return Difference(value, low, high, f"{LEVEL:.0%} {'paired' if same else 'unpaired'} bootstrap, {count} photos")


def _ordered(said: Predictions) -> Predictions:
    order = np.argsort(said.image_ids)
    return Predictions(said.logits[order], said.labels[order], said.image_ids[order], said.split_hash)


def _f1_of(said: Predictions, classes: int, draws: Draws | None = None) -> Values:
    drawn = np.arange(len(said.labels))[None] if draws is None else draws
    return f1_macro(confusions(said.logits.argmax(axis=1), said.labels, classes, drawn))


def _f1_resampled(said: Predictions, classes: int) -> Values:
    return resample(len(said.labels), lambda draws: _f1_of(said, classes, draws))
