"""Size classes of tankers, and how far measurements may be off."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.model_card import ErrorsCard, SizeError
from edge.sizes import SIZE_CLASSES, deadweight_range, heading_error, size_classes, size_error

SHORTEST, LONGEST = SIZE_CLASSES[0].length_m[0], SIZE_CLASSES[-1].length_m[1]
lengths = st.floats(SHORTEST, LONGEST, exclude_max=True)
errors_m = st.floats(0, 200)
sizes_px = st.floats(0, 1000)
shares = st.floats(0, 1)
degrees = st.floats(0, 90)

SHIPS = [
    (90, "Coastal", 3_500),
    (119, "Coastal", 8_000),
    (131.7, "Handysize", 11_300),
    (149.8, "Handysize", 18_500),
    (183.2, "MR", 49_200),
    (189.0, "MR", 50_346),
    (228.6, "Panamax", 75_000),
    (245, "Aframax", 105_000),
    (249.8, "Aframax", 114_800),
    (274, "Suezmax", 158_000),
    (285, "Suezmax", 180_000),
    (333, "VLCC", 310_000),
    (380, "ULCC", 441_561),
]
"""Length over all (m), class and deadweight (t) of ships and of typical ships."""


def test_classes_leave_no_gap_and_grow() -> None:
    for small, large in pairwise(SIZE_CLASSES):
        assert small.length_m[0] < small.length_m[1] == large.length_m[0] < large.length_m[1]
        assert small.deadweight_t[0] < small.deadweight_t[1] == large.deadweight_t[0] < large.deadweight_t[1]
    assert SHORTEST == 0
    names = [c.name for c in SIZE_CLASSES]
    assert len(set(names)) == len(names)
    assert not any("/" in name for name in names), "it joins the names of several classes"


@pytest.mark.parametrize(("length", "name", "deadweight"), SHIPS)
def test_ships_are_of_their_class(length: float, name: str, deadweight: int) -> None:
    (found,) = size_classes(length, 0)
    assert found.name == name
    low, high = deadweight_range([found])
    assert low <= deadweight <= high


@given(lengths)
def test_a_sure_length_is_of_one_class(length: float) -> None:
    (found,) = size_classes(length, 0)
    assert found.length_m[0] <= length < found.length_m[1]


@given(lengths, errors_m, errors_m)
def test_a_larger_error_allows_all_that_a_smaller_one_does(length: float, one: float, other: float) -> None:
    few, many = (size_classes(length, error) for error in sorted((one, other)))
    assert set(few) <= set(many)
    low, high = deadweight_range(few)
    lowest, highest = deadweight_range(many)
    assert lowest <= low < high <= highest


@given(lengths, errors_m)
def test_what_is_allowed_is_one_run_of_classes_round_the_length(length: float, error: float) -> None:
    found = size_classes(length, error)
    first = SIZE_CLASSES.index(found[0])
    assert found == SIZE_CLASSES[first : first + len(found)]
    assert size_classes(length, 0)[0] in found


@given(lengths, errors_m, st.floats(-1, 1))
def test_every_length_within_the_error_is_of_an_allowed_class(length: float, error: float, part: float) -> None:
    true = length + part * error
    assert set(size_classes(true, 0)) <= set(size_classes(length, error))


@given(lengths, lengths, errors_m)
def test_a_longer_vessel_is_of_no_smaller_class(one: float, other: float, error: float) -> None:
    short, long = (size_classes(length, error) for length in sorted((one, other)))
    for bound in (0, 1):
        assert deadweight_range(short)[bound] <= deadweight_range(long)[bound]


@pytest.mark.parametrize(
    ("length", "error", "names"),
    [
        (236, 0, ["Aframax"]),
        (235.9, 0, ["Panamax"]),
        (230, 10, ["Panamax", "Aframax"]),
        (230, 6, ["Panamax", "Aframax"]),
        (230, 5.9, ["Panamax"]),
        (250, 60, ["MR", "Panamax", "Aframax", "Suezmax", "VLCC"]),
        (3, 10, ["Coastal"]),
        (460, 0, []),
        (465, 10, ["ULCC"]),
        (470, 10, []),
        (float("nan"), 1, []),
        (100, float("inf"), [c.name for c in SIZE_CLASSES]),
    ],
)
def test_a_length_that_straddles(length: float, error: float, names: list[str]) -> None:
    assert [c.name for c in size_classes(length, error)] == names


def test_the_deadweight_of_several_classes_spans_them() -> None:
    assert deadweight_range(size_classes(260, 5)) == (80_000, 200_000)
    assert deadweight_range(size_classes(260, 5)[::-1]) == (80_000, 200_000)


def _card(heading_px: float, floor: float) -> ErrorsCard:
    none = SizeError(0, 0)
    return ErrorsCard(none, none, heading_px, floor, 0.9)


@given(sizes_px, sizes_px, shares)
def test_errors_of_sizes_are_at_least_either_cause_and_at_most_both(size: float, px: float, share: float) -> None:
    (found,) = size_error(np.array([size]), SizeError(px, share))
    assert max(px, share * size) <= found * (1 + 1e-12)
    assert found <= (px + share * size) * (1 + 1e-12)


@given(sizes_px, sizes_px, sizes_px, shares)
def test_a_larger_vessel_has_no_smaller_error(one: float, other: float, px: float, share: float) -> None:
    small, large = size_error(np.array(sorted((one, other))), SizeError(px, share))
    assert small <= large


@given(sizes_px, sizes_px, st.floats(0, 50), degrees)
def test_a_longer_vessel_has_no_larger_error_of_heading(one: float, other: float, px: float, floor: float) -> None:
    short, long = heading_error(np.array(sorted((one, other))), _card(px, floor))
    assert floor * (1 - 1e-12) <= long <= short <= 90


def test_errors_by_hand() -> None:
    assert size_error(np.array([0.0, 100.0]), SizeError(3, 0.04)) == pytest.approx([3, 5])
    assert heading_error(np.array([10.0, 0.0]), _card(10, 0)) == pytest.approx([45, 90])
    assert heading_error(np.array([10.0]), _card(10, 60)) == pytest.approx([75])
    assert heading_error(np.array([10.0, 1e9]), _card(10, 80)) == pytest.approx([90, 80])
    assert heading_error(np.array([50.0]), _card(0, 0)) == pytest.approx([0])
    assert size_error(np.empty(0), SizeError(1, 1)).shape == heading_error(np.empty(0), _card(1, 1)).shape == (0,)
