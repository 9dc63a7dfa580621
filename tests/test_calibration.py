from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.calibration import SURE, KindScale, Spread, VesselScale, logit, sigmoid

SHARES = st.floats(0, 1)


@given(p=st.lists(st.floats(SURE, 1 - SURE), min_size=1, max_size=5))
def test_log_odds_and_probabilities_are_inverse(p: list[float]) -> None:
    assert sigmoid(logit(np.array(p))).tolist() == pytest.approx(p)


def test_certain_scores_stay_finite() -> None:
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()
    assert sigmoid(np.array([-1e9, 1e9])).tolist() == pytest.approx([0, 1])


def test_a_scale_that_listens_to_the_finder_alone_is_the_finder() -> None:
    score = np.array([0.1, 0.5, 0.93])
    told = VesselScale(1.0, 0.0, 0.0, 0.0).probability(score, np.array([9.0, -9.0, 3.0]), np.array([8.0, 80.0, 300.0]))
    assert told.tolist() == pytest.approx(score.tolist())


@given(a=SHARES, b=SHARES, look=st.floats(-8, 8), length=st.floats(0, 500))
def test_a_better_score_never_lowers_the_probability(a: float, b: float, look: float, length: float) -> None:
    scale = VesselScale(0.7, 0.4, -0.2, 0.1)
    low, high = scale.probability(np.array(sorted([a, b])), np.full(2, look), np.full(2, length))
    assert low <= high


def test_the_log_odds_of_a_kind_are_stretched_and_moved() -> None:
    assert KindScale(2.0, -1.0).probability(np.array([0.5])).tolist() == pytest.approx([0.5])
    assert KindScale().probability(np.array([0.0])).tolist() == pytest.approx([0.5])


def test_misses_are_those_of_the_length() -> None:
    spread = Spread(0.0, ((0.0, 1.0), (10.0, 0.5), (40.0, 0.0)))
    lengths = np.array([9.99, 10.0, 39.0, 40.0, 400.0])
    assert spread.missed(np.ones(5), lengths) == pytest.approx(1 + 0.5 + 0.5)
    assert spread.missed(np.array([0.5, 0, 0, 0, 1]), lengths) == pytest.approx(0.5)
    assert Spread().missed(np.ones(5), lengths) == 0
