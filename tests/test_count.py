from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.calibration import Spread, logit, sigmoid
from edge.count import EXACT_UP_TO, LEVEL, Count, count, distribution, interval
from edge.detections import Detections, Kind

BELIEFS = st.lists(st.floats(0, 1), max_size=9)


def _rows(scores: list[float], kinds: list[Kind], beliefs: list[float]) -> Detections:
    boxes = np.column_stack([np.arange(len(scores)) * 50.0, *np.tile([[0], [30], [8], [0]], len(scores))])
    return Detections.of(boxes, np.array(scores), np.array(kinds, np.int8), np.array(beliefs))


def test_each_kind_is_counted_and_vessel_is_their_sum() -> None:
    kinds = [Kind.TANKER, Kind.TANKER, Kind.OTHER, Kind.UNKNOWN, Kind.TANKER]
    found = count(_rows([0.9, 0.8, 0.7, 0.6, 0.2], kinds, [0.9, 0.8, 0.1, np.nan, 0.9]), 0.5)
    assert (found.tanker, found.other, found.unknown, found.vessel) == (2, 1, 1, 4)


def test_the_threshold_is_included() -> None:
    rows = _rows([0.5, 0.49999], [Kind.OTHER] * 2, [0.1] * 2)
    assert count(rows, 0.5).vessel == 1


def test_nothing_is_counted_in_nothing() -> None:
    assert count(Detections.empty(), 0.5) == Count(0, 0, 0, (0, 0), (0, 0))


def _by_enumeration(beliefs: list[float], level: float) -> tuple[int, int]:
    """Quantiles of the number of true ones, over all outcomes."""
    mass = np.zeros(len(beliefs) + 1)
    for outcome in product([0, 1], repeat=len(beliefs)):
        mass[sum(outcome)] += np.prod([p if real else 1 - p for p, real in zip(beliefs, outcome, strict=True)])
    below, tail = np.cumsum(mass), (1 - level) / 2
    return int(np.argmax(below >= tail - 1e-12)), int(np.argmax(below >= 1 - tail - 1e-12))


@given(beliefs=BELIEFS, counted=st.integers(0, 9))
@settings(deadline=None)
def test_the_interval_is_that_of_independent_draws(beliefs: list[float], counted: int) -> None:
    low, high = interval(np.array(beliefs), counted)
    if beliefs:
        exact = _by_enumeration(beliefs, LEVEL)
        assert abs(low - min(counted, exact[0])) <= 1, "rounding may decide where a quantile falls on a step"
        assert abs(high - max(counted, exact[1])) <= 1
    assert low <= counted <= high


def test_known_intervals() -> None:
    assert interval(np.ones(7), 7) == (7, 7)
    assert interval(np.zeros(7), 0) == (0, 0)
    assert interval(np.full(4, 0.5), 2) == (0, 4)
    assert interval(np.full(100, 0.5), 50) == (42, 58)


def test_the_interval_holds_the_count_and_never_exceeds_the_candidates() -> None:
    rows = _rows([0.51] * 6, [Kind.TANKER] * 6, [0.99] * 6)
    found = count(rows, 0.5)
    assert found.vessel_interval[1] == found.vessel == 6
    assert found.vessel_interval[0] < 6


def test_candidates_below_the_threshold_widen_the_interval() -> None:
    sure = _rows([0.99] * 5, [Kind.OTHER] * 5, [0.1] * 5)
    more = Detections.concat([sure, _rows([0.4] * 5, [Kind.OTHER] * 5, [0.1] * 5)])
    assert count(sure, 0.5).vessel == count(more, 0.5).vessel == 5
    assert count(more, 0.5).vessel_interval[1] > count(sure, 0.5).vessel_interval[1]


def test_what_nobody_judged_is_no_tanker() -> None:
    assert count(_rows([0.9] * 3, [Kind.UNKNOWN] * 3, [np.nan] * 3), 0.5).tanker_interval == (0, 0)


@pytest.mark.parametrize("belief", [1e-4, 0.003, 0.5, 0.997, 1 - 1e-4])
@pytest.mark.parametrize("candidates", [EXACT_UP_TO, EXACT_UP_TO + 1000])
def test_drawn_at_random_as_many_are_true_as_the_interval_says(belief: float, candidates: int) -> None:
    """Also far from one half, where a normal's tails would promise less than no vessel, or more than there are."""
    drawn = np.random.default_rng(7).binomial(candidates, belief, 40_000)
    low, high = interval(np.full(candidates, belief), round(candidates * belief))
    assert 0 <= low <= high <= candidates
    assert ((low <= drawn) & (drawn <= high)).mean() >= LEVEL - 0.01
    assert low >= np.quantile(drawn, (1 - LEVEL) / 2) - 1
    assert high <= np.quantile(drawn, (1 + LEVEL) / 2) + 1


def test_the_normal_approximation_meets_the_exact_sum() -> None:
    rng = np.random.default_rng(3)
    beliefs = rng.uniform(0, 1, EXACT_UP_TO)
    exact = interval(beliefs, 1000)
    normal = interval(np.append(beliefs, 0.0), 1000)
    assert exact == pytest.approx(normal, abs=1)


def test_the_distribution_sums_to_one_and_has_the_mean_of_its_parts() -> None:
    beliefs = np.array([0.1, 0.9, 0.5, 0.3])
    mass = distribution(beliefs, 0.0, 0.7)
    assert mass.sum() == pytest.approx(1)
    assert (np.arange(len(mass)) * mass).sum() == pytest.approx(beliefs.sum() + 0.7, abs=1e-6)


@pytest.mark.parametrize(("scene", "missed"), [(0.0, 0.6), (0.8, 0.0), (0.8, 1.3)])
def test_the_distribution_is_that_of_a_simulation(scene: float, missed: float) -> None:
    rng = np.random.default_rng(11)
    beliefs = rng.uniform(0.02, 0.98, 12)
    shift = rng.normal(0, scene, (60_000, 1))
    drawn = (rng.random((60_000, 12)) < sigmoid(logit(beliefs) + shift)).sum(1) + rng.poisson(missed, 60_000)
    mass = distribution(beliefs, scene, missed)
    seen = np.bincount(drawn, minlength=len(mass))[: len(mass)] / len(drawn)
    assert np.abs(seen - mass).max() < 0.012


@given(beliefs=BELIEFS, scene=st.floats(0, 2), missed=st.floats(0, 5))
@settings(deadline=None)
def test_more_doubt_never_narrows_the_interval_below_the_count(
    beliefs: list[float], scene: float, missed: float
) -> None:
    counted = sum(b >= 0.5 for b in beliefs)
    low, high = interval(np.array(beliefs), counted, scene, missed)
    assert 0 <= low <= counted <= high


def test_what_may_be_missed_raises_the_upper_end_only() -> None:
    rows = _rows([0.999] * 30, [Kind.OTHER] * 30, [0.0] * 30)
    plain = count(rows, 0.5)
    missing = count(rows, 0.5, Spread(0.0, ((0.0, 0.2),)))
    assert plain.vessel_interval == (30, 30)
    assert missing.vessel_interval[0] == 30
    assert 33 <= missing.vessel_interval[1] <= 42, "six more are expected, give or take four"
    assert missing.tanker_interval == (0, 0), "what was missed is taken to be of the kinds that were found"


def test_lengths_are_those_of_the_working_frame() -> None:
    rows = _rows([0.999] * 10, [Kind.OTHER] * 10, [0.0] * 10)
    short = Spread(0.0, ((0.0, 1.0), (20.0, 0.0)))
    assert count(rows, 0.5, short).vessel_interval == (10, 10), "30 px"
    assert count(rows, 0.5, short, scale=0.5).vessel_interval[1] > 12, "15 px"


def test_many_candidates_in_scenes_of_unknown_difficulty_have_a_wide_normal_interval() -> None:
    rng = np.random.default_rng(5)
    beliefs = rng.uniform(0, 1, EXACT_UP_TO)
    exact = interval(beliefs, 1000, 0.5, 20.0)
    normal = interval(np.append(beliefs, 0.0), 1000, 0.5, 20.0)
    assert normal == pytest.approx(exact, rel=0.03)
    assert exact[1] - exact[0] > 2 * np.subtract(*interval(beliefs, 1000)[::-1])
