from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import shapely
from fleet import seen
from hypothesis import given
from hypothesis import strategies as st

from edge.geometry import (
    Window,
    areas,
    canonical,
    clip_polygon,
    envelopes,
    from_corners,
    overlapping_pairs,
    paired_intersection,
    paired_iou,
    polygon_area,
    rotated_iou,
    round_visible,
    to_corners,
)

if TYPE_CHECKING:
    from edge.geometry import Floats

SEEDS = st.integers(0, 2**32 - 1)


def _boxes(rng: np.random.Generator, n: int, spread: float = 100.0, *, whole: bool = False) -> Floats:
    """Random boxes (n, 5); a third of them along the axes, all in whole px if asked for."""
    angle = np.where(rng.random(n) < 0.3, rng.choice([0, np.pi / 2, np.pi / 4], n), rng.uniform(0, np.pi, n))
    boxes = np.column_stack([rng.uniform(0, spread, (n, 2)), rng.uniform(1, 80, n), rng.uniform(0.5, 30, n), angle])
    if whole:
        boxes[:, :2] = np.round(boxes[:, :2])
        boxes[:, 2:4] = 2 * np.ceil(boxes[:, 2:4] / 2)
        boxes[:, 4] = rng.choice([0, np.pi / 2], n)
    return canonical(boxes)


def _oracle(a: Floats, b: Floats) -> Floats:
    first, second = shapely.polygons(a), shapely.polygons(b)
    # On a grid: in floating precision GEOS now and then finds nothing in common between edges that all but coincide.
    shared = shapely.area(shapely.intersection(first, second, grid_size=1e-8))
    return np.asarray(shared / (shapely.area(first) + shapely.area(second) - shared))


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (-1, 5)])
def test_a_window_has_a_size(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="positive size"):
        Window(0, 0, width, height)


def test_a_window_holds_its_left_and_upper_edge_only() -> None:
    window = Window(2, 3, 4, 5)
    assert (window.right, window.bottom) == (6, 8)
    points = np.array([[2, 3], [5.99, 7.99], [6, 5], [4, 8], [1.99, 5]])
    assert window.contains(points).tolist() == [True, True, False, False, False]


@given(seed=SEEDS)
def test_canonical_boxes_are_the_same_boxes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    raw = np.column_stack([rng.uniform(-50, 50, (20, 2)), rng.uniform(0.1, 60, (20, 2)), rng.uniform(-20, 20, 20)])
    boxes = canonical(raw)
    assert (boxes[:, 2] >= boxes[:, 3]).all()
    assert ((boxes[:, 4] >= 0) & (boxes[:, 4] < np.pi)).all()
    assert np.allclose(_oracle(to_corners(raw), to_corners(boxes)), 1)
    assert np.array_equal(canonical(boxes), boxes)


def test_an_angle_just_below_nothing_does_not_become_pi() -> None:
    assert canonical(np.array([[0, 0, 2, 1, -1e-17]]))[0, 4] == 0


def test_corners_go_clockwise_on_the_screen_from_the_bow_left() -> None:
    corners = to_corners(np.array([[10, 20, 8, 4, 0.0]]))
    assert corners[0].tolist() == [[14, 18], [14, 22], [6, 22], [6, 18]]


@given(seed=SEEDS)
def test_boxes_survive_the_way_to_corners_and_back(seed: int) -> None:
    boxes = _boxes(np.random.default_rng(seed), 10, 30_000.0)
    again = from_corners(to_corners(boxes))
    assert np.allclose(_oracle(to_corners(boxes), to_corners(again)), 1, atol=1e-3)


@given(seed=SEEDS)
def test_areas_and_envelopes_agree_with_shapely(seed: int) -> None:
    corners = to_corners(_boxes(np.random.default_rng(seed), 10))
    shapes = shapely.polygons(corners)
    assert np.allclose(areas(corners), shapely.area(shapes))
    assert np.allclose([polygon_area(c) for c in corners], shapely.area(shapes))
    assert np.allclose(envelopes(corners), shapely.bounds(shapes))


def test_less_than_three_points_have_no_area() -> None:
    assert polygon_area(np.array([[0.0, 0.0], [1.0, 1.0]])) == 0


@given(seed=SEEDS)
def test_clipping_agrees_with_shapely(seed: int) -> None:
    rng = np.random.default_rng(seed)
    window = Window(*(int(v) for v in rng.integers(0, 60, 2)), *(int(v) for v in rng.integers(1, 60, 2)))
    frame = shapely.box(window.x, window.y, window.right, window.bottom)
    for corners in to_corners(_boxes(rng, 10, whole=bool(seed % 2))):
        shape = clip_polygon(corners, window)
        assert polygon_area(shape) == pytest.approx(shapely.Polygon(corners).intersection(frame).area, abs=1e-6)


@given(seed=SEEDS)
def test_what_shows_in_a_window_is_bounded_along_the_vessel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = _boxes(rng, 20, whole=bool(seed % 2))
    window = Window(20, 30, 60, 40)
    found = round_visible(boxes, np.tile([20.0, 30.0, 80.0, 70.0], (20, 1)))
    rows, expected = seen(boxes, window)
    assert np.allclose(found[rows], expected, atol=1e-6)
    hidden = np.setdiff1d(np.arange(20), rows)
    assert np.allclose(found[hidden, 2] * found[hidden, 3], 0, atol=1e-5)


@given(seed=SEEDS, whole=st.booleans())
def test_iou_agrees_with_shapely(seed: int, whole: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    rng = np.random.default_rng(seed)
    a = to_corners(_boxes(rng, 40, 40.0, whole=whole))
    b = to_corners(_boxes(rng, 40, 40.0, whole=whole))
    assert np.allclose(paired_iou(a, b), _oracle(a, b), atol=1e-6)
    assert np.allclose(paired_iou(a, b), paired_iou(b, a), atol=1e-6)


@given(seed=SEEDS, far=st.sampled_from([0.0, 1e3, 1e5]))
def test_iou_of_a_box_with_itself_and_with_what_it_holds(seed: int, far: float) -> None:
    boxes = _boxes(np.random.default_rng(seed), 20)
    boxes[:, :2] += far
    same = to_corners(boxes)
    assert np.allclose(paired_iou(same, same), 1, atol=1e-6)
    inner = boxes.copy()
    inner[:, 2:4] /= 2
    assert np.allclose(paired_iou(same, to_corners(inner)), 0.25, atol=1e-6)
    turned = boxes.copy()
    turned[:, 4] += np.pi
    assert np.allclose(paired_iou(same, to_corners(turned)), 1, atol=1e-6)


@given(seed=SEEDS, gap=st.sampled_from([0.0, 1e-3, 1.0]))
def test_boxes_side_by_side_share_nothing(seed: int, gap: float) -> None:
    boxes = _boxes(np.random.default_rng(seed), 20)
    aside = boxes.copy()
    by = boxes[:, 3] + gap
    aside[:, 0] -= np.sin(boxes[:, 4]) * by
    aside[:, 1] += np.cos(boxes[:, 4]) * by
    assert np.allclose(paired_iou(to_corners(boxes), to_corners(aside)), 0, atol=1e-6)


def test_whole_px_boxes_that_share_edges() -> None:
    def box(left: float, top: float, right: float, bottom: float) -> Floats:
        return np.array([[right, top], [right, bottom], [left, bottom], [left, top]], np.float64)

    base = box(0, 0, 10, 4)
    cases = {
        1.0: base, 0.5: box(0, 0, 10, 2), 0.25: box(5, 2, 10, 4), 1 / 3: box(5, 0, 15, 4), 0.0: box(10, 0, 20, 4),
        20 / 60: box(0, 2, 10, 6), 4 / 40: box(3, 1, 5, 3),
    }  # fmt: skip
    for expected, other in cases.items():
        assert rotated_iou(base, other) == pytest.approx(expected, abs=1e-6)


def test_boxes_without_area_share_nothing() -> None:
    line = to_corners(np.array([[5, 5, 10, 0.0, 0.3], [5, 5, 0.0, 0.0, 0.0]]))
    box = to_corners(np.array([[5, 5, 10, 4.0, 0.3], [5, 5, 3.0, 2.0, 0.0]]))
    for a, b in ((line, box), (box, line), (line, line)):
        assert paired_iou(a, b).max() <= 1e-9
        assert paired_intersection(a, b).max() <= 1e-9
    assert len(paired_iou(np.empty((0, 4, 2)), np.empty((0, 4, 2)))) == 0


@given(seed=SEEDS, n=st.integers(0, 40), k=st.integers(0, 40))
def test_overlapping_pairs_are_those_of_a_double_loop(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    first = envelopes(to_corners(_boxes(rng, n, 300.0, whole=bool(seed % 2)).reshape(-1, 5)))
    second = envelopes(to_corners(_boxes(rng, k, 300.0, whole=bool(seed % 2)).reshape(-1, 5)))
    expected = [
        [i, j]
        for i, a in enumerate(first)
        for j, b in enumerate(second)
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]
    assert overlapping_pairs(first, second).tolist() == expected
