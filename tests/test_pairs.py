from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from edge import pairs
from edge.pairs import overlapping_pairs, pairs_of_groups
from edge.sorting import order_of, order_of_keys

if TYPE_CHECKING:
    import pytest

    from edge.geometry import Floats

SEEDS = st.integers(0, 2**32 - 1)


def _rectangles(rng: np.random.Generator, n: int) -> Floats:
    """Left, top, right, bottom (n, 4): of one size or of very different ones, also of none, some on whole px."""
    centre = rng.uniform(0, 100, (n, 2))
    side = np.exp(rng.uniform(-2, rng.choice([2, 5, 9]), (n, 2))) * rng.choice([0, 1, 1, 1])
    if rng.random() < 0.3:
        centre, side = np.round(centre / 5) * 5, 2 * np.ceil(side)
    if n and rng.random() < 0.2:
        side[0] *= 10.0 ** rng.integers(1, 30)
    if n and rng.random() < 0.1:
        centre[0] *= 10.0 ** rng.integers(1, 30)
    return np.concatenate([centre - side / 2, centre + side / 2], 1)


def _overlap(a: Floats, b: Floats) -> list[list[int]]:
    meets = (a[:, None, :2] < b[None, :, 2:]).all(2) & (b[None, :, :2] < a[:, None, 2:]).all(2)
    return np.argwhere(meets).tolist()


@given(seed=SEEDS, n=st.integers(0, 60), k=st.integers(0, 60))
def test_pairs_are_those_of_a_matrix_of_all(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = _rectangles(rng, n), _rectangles(rng, k)
    assert overlapping_pairs(first, second).tolist() == _overlap(first, second)


@given(seed=SEEDS)
def test_many_pairs_are_those_of_a_tree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centre, side = rng.uniform(0, 2000, (3000, 2)), np.exp(rng.uniform(1, 5, (3000, 2)))
    bounds = np.concatenate([centre - side / 2, centre + side / 2], 1)
    boxes = shapely.box(*bounds.T)
    expected = shapely.STRtree(boxes).query(boxes, predicate="intersects").T
    assert np.array_equal(overlapping_pairs(bounds, bounds), expected[np.lexsort(expected.T[::-1])])


@given(seed=SEEDS, n=st.integers(0, 60), groups=st.integers(1, 5))
def test_pairs_of_groups_come_once_each(seed: int, n: int, groups: int) -> None:
    rng = np.random.default_rng(seed)
    bounds, group = _rectangles(rng, n), rng.integers(0, groups, n)
    chosen = np.flatnonzero(rng.random(n) < 0.8)
    found = np.sort(np.stack(pairs_of_groups(np.ascontiguousarray(bounds.T), group, chosen), 1), 1).tolist()
    expected = [
        [i, j] for i, j in _overlap(bounds, bounds) if i < j and group[i] != group[j] and {i, j} <= set(chosen.tolist())
    ]
    assert sorted(found) == expected


def test_blocks_leave_no_pair_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    bounds = _rectangles(rng, 80)
    expected = _overlap(bounds, bounds)
    for block in (1, 2, 7):
        monkeypatch.setattr(pairs, "_BLOCK", block)
        assert overlapping_pairs(bounds, bounds).tolist() == expected


def test_one_tall_rectangle_costs_no_more_than_the_pairs_it_has() -> None:
    """In rows as high as the small ones it would have a billion entries."""
    n = 2000
    x = np.arange(n) * 10.0
    bounds = np.concatenate([np.stack([x, x * 0, x + 5, x * 0 + 5], 1), [[3.0, -1e10, 17.0, 1e10]]])
    assert overlapping_pairs(bounds[:n], bounds[n:]).tolist() == [[0, 0], [1, 0]]


@given(seed=SEEDS, n=st.integers(0, 200), bits=st.sampled_from([1, 8, 16, 17, 40, 62]))
def test_keys_are_sorted_as_numpy_sorts_them(seed: int, n: int, bits: int) -> None:
    keys = np.random.default_rng(seed).integers(0, 2**bits, n)
    assert np.array_equal(order_of_keys(keys), np.argsort(keys, kind="stable"))


@given(seed=SEEDS, n=st.integers(0, 200), steps=st.sampled_from([0.0, 1.0, 1e-9]))
def test_rows_are_sorted_as_numpy_sorts_them(seed: int, n: int, steps: float) -> None:
    rng = np.random.default_rng(seed)
    columns = [rng.normal(0, 100, n) for _ in range(3)]
    if steps:
        columns = [np.round(c / 50) * 50 + steps * rng.integers(0, 3, n) for c in columns]
    assert np.array_equal(order_of(*columns), np.lexsort(columns[::-1]))
