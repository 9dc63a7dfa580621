"""Logistic models fitted by Newton's method, with a little ridge so that separable data have an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.calibration import sigmoid

if TYPE_CHECKING:
    from edge.geometry import Floats

RIDGE = 1.0
"""As if each weight came from a normal of unit variance round what it would be without evidence."""
ROUNDS = 50


def fit_logistic(inputs: Floats, right: Floats, prior: Floats, weights: Floats | None = None) -> Floats:
    """Weights (k + 1,) of inputs (n, k) and of the offset, the last; `right` (n,) is 0 or 1.

    Targets are softened as in Platt (1999): (n+ + 1) / (n+ + 2) and 1 / (n- + 2).

    Args:
        inputs: shape (n, k).
        right: shape (n,), what is true.
        prior: shape (k,), the weights without evidence; the ridge pulls towards them. The offset is free.
        weights: shape (n,), how much each row counts; all 1 if left out.
    """
    w = np.ones(len(right)) if weights is None else weights
    positive, negative = float(w @ right), float(w @ (1 - right))
    target = np.where(right > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    x = np.concatenate([inputs, np.ones((len(right), 1))], 1)
    start = np.append(prior, 0.0)
    beta = start.copy()
    ridge = np.diag([*np.full(len(prior), RIDGE), 1e-6])
    for _ in range(ROUNDS):
        p = sigmoid(x @ beta)
        slope = x.T @ (w * (target - p)) - ridge @ (beta - start)
        curve = (x * (w * p * (1 - p))[:, None]).T @ x + ridge
        step = np.linalg.solve(curve, slope)
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:  # noqa: PLR2004 - converged
            break
    return np.asarray(beta)
