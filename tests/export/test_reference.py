"""What a release says of its own answers on validation photos."""

import numpy as np
import pytest

from export.reference import reference_figures

PROBABILITIES = np.array([[0.9, 0.05, 0.05], [0.45, 0.45, 0.1], [0.34, 0.33, 0.33], [0.1, 0.8, 0.1]])


def test_classes_decisions_and_confidence_are_counted() -> None:
    figures = reference_figures(PROBABILITIES, {"prediction_set_probability": 0.4})
    assert figures["photos"] == 4
    assert figures["class_shares"] == [0.75, 0.25, 0.0]
    assert figures["confidence_mean"] == pytest.approx((0.9 + 0.45 + 0.34 + 0.8) / 4, abs=1e-4)
    assert figures["decision_shares"] == {"accepted": 0.5, "uncertain": 0.25, "rejected": 0.25}


def test_without_a_threshold_every_answer_is_uncertain_as_the_gateway_has_it() -> None:
    figures = reference_figures(PROBABILITIES, {"prediction_set_probability": None})
    assert figures["decision_shares"] == {"accepted": 0.0, "uncertain": 1.0, "rejected": 0.0}
