"""The outlier score: strangers score higher, the graph computes what the fit measured, the threshold keeps its promise."""

import numpy as np
import onnxruntime
import pytest

from export import outliers
from export.averaging import Source, averaging_model

WIDTHS = (12, 20)


def statistics(seed: int, count: int, shift: float = 0.0) -> list[np.ndarray]:
    """Means and deviations as two members give them; leaves, or things moved away from them by `shift`."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(count, 3))
    given = []
    for width in WIDTHS:
        mixing = np.random.default_rng(width).normal(size=(3, width)) * 0.3
        values = common @ mixing + 0.1 * rng.normal(size=(count, width)) + shift
        given.append(
            np.concatenate([values[:, : width // 2], np.exp(values[:, width // 2 :])], axis=1).astype(np.float32)
        )
    return given


def features(given: list[np.ndarray]) -> np.ndarray:
    """Of both members side by side."""
    return np.concatenate([outliers.features(s) for s in given], axis=1)


@pytest.mark.parametrize("with_strangers", [False, True])
def test_the_graph_computes_the_score_that_was_fitted(with_strangers: bool) -> None:
    strangers = features(statistics(1, 40, 0.4)) if with_strangers else None
    model = outliers.fit(features(statistics(0, 120)), np.arange(120), strangers, 0.05)
    sources = [Source(f"p{i}", f"a{i}", f"s{i}", width) for i, width in enumerate(WIDTHS)]
    network = averaging_model(sources, "mean", "score", [1, 1], 3, outliers=model)
    session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    seen = statistics(2, 16, 0.2)
    probabilities = np.full((16, 3), 1 / 3, np.float32)
    given = {"p0": probabilities, "p1": probabilities, "s0": seen[0], "s1": seen[1]}
    (score,) = session.run(["score"], given)
    expected = model.score(features(seen))
    assert score.shape == (16, 1)
    assert np.abs(score[:, 0] - expected).max() < 1e-3 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("with_strangers", [False, True])
def test_strangers_are_refused_and_leaves_are_not(with_strangers: bool) -> None:
    strangers = features(statistics(1, 40, 0.5)) if with_strangers else None
    model = outliers.fit(features(statistics(0, 200)), np.arange(200), strangers, 0.05)
    assert (model.score(features(statistics(3, 400))) > model.threshold).mean() < 0.08
    assert (model.score(features(statistics(4, 400, 0.5))) > model.threshold).mean() > 0.95


def test_the_threshold_keeps_its_promise_four_times_in_five() -> None:
    rng = np.random.default_rng(0)
    kept = [np.exp(-outliers.tolerance_limit(rng.exponential(size=100), 0.05)) <= 0.05 for _ in range(1500)]
    assert 0.78 < np.mean(kept) < 0.92


def test_too_few_leaves_take_the_largest_score() -> None:
    assert outliers.tolerance_limit(np.array([1.0, 3.0, 2.0]), 0.05) == 3.0


def test_shrinkage_is_ledoit_and_wolf_s() -> None:
    from sklearn.covariance import ledoit_wolf_shrinkage

    standard = np.random.default_rng(0).normal(size=(40, 12)) @ np.random.default_rng(1).normal(size=(12, 12))
    standard -= standard.mean(0)
    shrinkage, variance = outliers._ledoit_wolf(standard)
    assert shrinkage == pytest.approx(ledoit_wolf_shrinkage(standard, assume_centered=True), rel=1e-6)
    assert variance == pytest.approx((standard**2).mean())
