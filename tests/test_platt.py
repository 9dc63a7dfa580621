from __future__ import annotations

import numpy as np
import pytest

from edge.calibration import sigmoid
from training.platt import fit_logistic


def test_the_weights_that_made_the_data_are_found() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40_000, 2))
    right = (rng.random(40_000) < sigmoid(x @ [1.5, -0.5] + 0.4)).astype(float)
    assert fit_logistic(x, right, np.zeros(2)).tolist() == pytest.approx([1.5, -0.5, 0.4], abs=0.05)


def test_separable_data_have_an_answer() -> None:
    x = np.array([[-1.0], [-2.0], [1.0], [2.0]])
    slope, offset = fit_logistic(x, np.array([0.0, 0, 1, 1]), np.array([1.0]))
    assert 0.3 < slope < 5
    assert offset == pytest.approx(0, abs=1e-6)


def test_without_evidence_the_prior_stands() -> None:
    slope, offset = fit_logistic(np.zeros((4, 1)), np.array([0.0, 1, 0, 1]), np.array([0.7]))
    assert (slope, offset) == pytest.approx((0.7, 0.0))


def test_a_row_of_weight_two_is_two_rows() -> None:
    x, right = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 1.0, 0.0])
    once = fit_logistic(np.repeat(x, [1, 2, 1], 0), np.repeat(right, [1, 2, 1]), np.zeros(1))
    assert fit_logistic(x, right, np.zeros(1), np.array([1.0, 2.0, 1.0])).tolist() == pytest.approx(once.tolist())
