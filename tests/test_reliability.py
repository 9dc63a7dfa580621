"""Calibration and coverage against hand-made answers and against definitions spelt out in loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.detections import Kind
from edge.geometry import to_corners
from training.matching import Judged, Said, Truth, judge
from training.metrics import Outcomes
from training.reliability import (
    calibration_error,
    equal_count,
    equal_width,
    interval_figures,
    kind_outcomes,
    needed_half_width,
    trust,
    vessel_outcomes,
)


def _places(n: int) -> np.ndarray:
    """Boxes side by side."""
    return to_corners(np.array([(40 + 90 * i, 50, 60, 10, 0) for i in range(n)], np.float64).reshape(-1, 5))


def _picture(truths: int, kinds: list[int], said: list[int], told: list[float], scores: list[float]) -> Judged:
    """Vessels in the first `truths` places, and a box for each score, from the first place on."""
    places = _places(max(truths, len(scores)))
    truth = Truth("p", "s", 900, 100, places[:truths], np.array(kinds, np.int64), np.ones(truths, bool))
    rows = np.array(scores, np.float64), np.array(said, np.int64), np.array(told, np.float64)
    return judge(truth, places[: len(scores)], *rows)


def test_bins_of_equal_width_by_hand() -> None:
    bins = equal_width(Outcomes.of([(0.05, False), (0.1, True), (0.15, False), (0.95, True), (0.0, False)]))
    assert bins.size.tolist() == [3, 1, 1], "0.1 ends the first bin; 0 belongs to it; empty bins are left out"
    assert bins.said.tolist() == pytest.approx([0.05, 0.15, 0.95])
    assert bins.true.tolist() == pytest.approx([1 / 3, 0, 1])
    assert calibration_error(bins) == pytest.approx((3 * (1 / 3 - 0.05) + 0.15 + 0.05) / 5)


def test_calibration_error_is_its_definition() -> None:
    rng = np.random.default_rng(0)
    score = rng.uniform(0, 1, 500)
    right = rng.random(500) < score**2
    expected = 0.0
    for k in range(10):
        held = [i for i in range(500) if k / 10 < score[i] <= (k + 1) / 10]
        expected += abs(sum(score[i] for i in held) - sum(right[i] for i in held)) / 500
    assert calibration_error(equal_width(Outcomes(score, right))) == pytest.approx(expected)


def test_bins_of_equal_count_do_not_depend_on_the_order() -> None:
    rng = np.random.default_rng(1)
    score, right = np.round(rng.uniform(0, 1, 103), 1), rng.random(103) < 0.5
    first = equal_count(Outcomes(score, right))
    turn = rng.permutation(103)
    second = equal_count(Outcomes(score[turn], right[turn]))
    assert first.size.tolist() == [11, 11, 11, 10, 10, 10, 10, 10, 10, 10]
    assert np.array_equal(first.true, second.true)
    assert (np.diff(first.said) >= 0).all()
    assert (first.size * first.true).sum() == right.sum()


def test_true_beliefs_have_a_small_error_and_overconfident_ones_a_large_one() -> None:
    rng = np.random.default_rng(2)
    score = rng.uniform(0, 1, 20_000)
    right = rng.random(20_000) < score
    for bins in (equal_width, equal_count):
        assert calibration_error(bins(Outcomes(score, right))) < 0.02
        assert calibration_error(bins(Outcomes(np.ones(20_000), right))) == pytest.approx(0.5, abs=0.02)


def test_nothing_has_no_error() -> None:
    empty = Outcomes.of([])
    assert calibration_error(equal_width(empty)) is None
    assert calibration_error(equal_count(empty)) is None


def test_outcomes_of_vessels_and_kinds() -> None:
    kinds = [Kind.TANKER, Kind.UNKNOWN, Kind.OTHER]
    judged = _picture(3, kinds, [0, 0, 1, 1], [0.9, 0.8, float("nan"), 0.4], [0.9, 0.8, 0.7, 0.6])
    vessel = vessel_outcomes([judged])
    assert vessel.score.tolist() == [0.9, 0.8, 0.7, 0.6]
    assert vessel.right.tolist() == [True, True, True, False]
    kind = kind_outcomes([judged])
    assert (kind.score.tolist(), kind.right.tolist()) == ([0.9], [True]), "known kind, long enough, and a vessel"
    ignored = replace(judged, dropped=np.ones(4, bool))
    assert vessel_outcomes([ignored]).score.tolist() == [0.9, 0.8, 0.7], "nothing can be said of the fourth"


@pytest.mark.parametrize("level", [0.5, 0.9, 1.0])
def test_needed_half_width_is_the_least(level: float) -> None:
    rng = np.random.default_rng(4)
    for n in (1, 2, 9, 10, 11, 50):
        errors = rng.integers(-6, 7, n).tolist()
        least = next(h for h in range(99) if sum(abs(e) <= h for e in errors) >= level * n - 1e-9)
        assert needed_half_width(errors, level) == least
    assert needed_half_width([]) is None


def test_coverage_by_hand() -> None:
    right = _picture(2, [0, 1], [0, 1], [0.9, 0.1], [0.9, 0.8])
    low = _picture(3, [0, 1, 1], [0, 1], [0.9, 0.1], [0.9, 0.8])
    empty = _picture(0, [], [], [], [])
    pictures = [
        replace(right, said=Said(2, 1, (1, 3), (1, 1))),
        replace(low, said=Said(2, 1, (1, 2), (0, 1))),
        replace(empty, said=Said(0, 0, (0, 1), (0, 0))),
        right,
    ]
    rows = interval_figures(pictures, 0.5)
    assert rows["vessel"]["all"] == pytest.approx(
        {"scenes": 3, "coverage": 2 / 3, "truth_below": 0, "truth_above": 1 / 3, "mean_width": 4 / 3,
         "half_width_needed": 1}
    )  # fmt: skip
    assert rows["vessel"]["busy"]["scenes"] == 2, "the fourth has no document, the third nothing in it"
    assert rows["tanker"]["busy"]["coverage"] == 1
    assert rows["tanker"]["all"]["half_width_needed"] == 0


def test_what_labels_leave_open_is_counted_as_it_is_said() -> None:
    """A counted box on an ignored area is no error of the count, so it is none of the interval either."""
    judged = _picture(1, [Kind.UNKNOWN], [0, 0], [0.9, 0.9], [0.9, 0.8])
    judged = replace(judged, dropped=np.array([False, True]), said=Said(2, 2, (2, 2), (2, 2)))
    rows = interval_figures([judged], 0.5)
    assert rows["vessel"]["all"]["coverage"] == 1
    assert rows["tanker"]["all"]["coverage"] == 1, "of neither box the labels say that it is no tanker"
    invented = replace(judged, dropped=np.zeros(2, bool))
    rows = interval_figures([invented], 0.5)
    assert rows["vessel"]["all"]["truth_below"] == 1
    assert rows["tanker"]["all"]["half_width_needed"] == 1


def test_all_figures_of_nothing_are_none() -> None:
    row = trust([], 0.5)
    assert row["vessel_ece"] is None
    assert row["interval"]["vessel"]["all"]["coverage"] is None
