from __future__ import annotations

import numpy as np
import pytest
from fleet import fit
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Polygon

from edge.decode import SHARED_WATER, STRIDES, anchors_of, decode, from_distances, suppress
from edge.detections import Detections
from edge.geometry import Floats, envelopes, to_corners

SEEDS = st.integers(0, 2**32 - 1)


def _rafted(angle: float, length: float = 330.0, beam: float = 60.0, gap: float = 2.0) -> Detections:
    """Two tankers alongside, as in a ship-to-ship transfer."""
    aside = np.array([-np.sin(angle), np.cos(angle)]) * (beam + gap)
    boxes = [[500, 500, length, beam, angle], [500 + aside[0], 500 + aside[1], length, beam, angle]]
    return Detections.of(np.array(boxes), np.array([0.9, 0.8]))


def _upright_iou(rows: Detections) -> float:
    a, b = envelopes(rows.corners)
    shared = np.prod(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]))
    both = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared
    return float(shared / both)


def test_rafted_tankers_stay_two_where_upright_boxes_would_lose_one() -> None:
    rows = _rafted(np.pi / 4)
    assert _upright_iou(rows) > 0.5, "the usual suppression, on upright boxes, keeps one ship of two"
    assert len(suppress(rows, 0.0)) == 2, "on oriented boxes both stay, at any threshold"


@given(angle=st.floats(0, np.pi), gap=st.floats(0.1, 10))
def test_rafted_hulls_stay_two_at_every_angle(angle: float, gap: float) -> None:
    assert len(suppress(_rafted(angle, gap=gap), 0.01)) == 2


def _plain_nms(rows: Detections, iou: float) -> list[float]:
    """Greedy suppression as in the textbook, with shapely and the rule of shared water: scores that stay."""
    order = np.argsort(-rows.score, kind="stable")
    hulls = [Polygon(c) for c in rows.corners]

    def apart(one: Polygon, other: Polygon) -> bool:
        shared = one.intersection(other).area
        return shared <= iou * one.union(other).area and shared <= SHARED_WATER * min(one.area, other.area)

    kept: list[int] = []
    for i in order:
        if all(apart(hulls[i], hulls[j]) for j in kept):
            kept.append(int(i))
    return rows.score[kept].tolist()


def _crowd(rng: np.random.Generator, n: int) -> Floats:
    return np.column_stack([rng.uniform(0, 60, (n, 2)), rng.uniform(5, 40, (n, 2)), rng.uniform(0, 4, n)])


@given(seed=SEEDS, n=st.integers(0, 30), iou=st.sampled_from([0.1, 0.4, 0.7]))
def test_suppression_is_the_textbooks(seed: int, n: int, iou: float) -> None:
    rng = np.random.default_rng(seed)
    rows = Detections.of(_crowd(rng, n).reshape(-1, 5), rng.permutation(n) / max(n, 1))
    assert suppress(rows, iou).score.tolist() == _plain_nms(rows, iou)


def test_boxes_that_cross_are_one_vessel() -> None:
    """A blurred boat of 8 px may get two boxes across each other: IoU 0.33, and yet no two hulls lie like this."""
    rows = Detections.of(np.array([[20, 20, 8, 4, 0.5], [20, 20, 8, 4, 0.5 + np.pi / 2]]), np.array([0.6, 0.5]))
    assert suppress(rows, 0.4).score.tolist() == [0.6]


def test_of_equal_scores_the_earlier_row_stays() -> None:
    rows = Detections.of(np.array([[5, 5, 10, 4, 0.0], [5, 5, 10, 4.1, 0.0]]), np.array([0.5, 0.5]))
    assert suppress(rows, 0.4).xywhr[0, 3] == 4


def _output(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 6)


def test_columns_of_the_output() -> None:
    found = decode(_output([50, 40, 30, 10, 0.75, 0.5]), 0.05, 0.4)
    assert found.xywhr[0].tolist() == [50, 40, 30, 10, 0.5]
    assert found.score.tolist() == [0.75]


def test_the_floor_is_included_and_what_is_below_is_dropped() -> None:
    found = decode(_output([50, 40, 30, 10, 0.25, 0], [90, 40, 30, 10, 0.2499, 0]), 0.25, 0.4)
    assert found.score.tolist() == [0.25]


@pytest.mark.parametrize(
    "row",
    [[50, 40, 0, 10, 0.9, 0], [50, 40, 30, -1, 0.9, 0], [np.nan, 40, 30, 10, 0.9, 0], [50, 40, 30, 10, 0.9, np.inf]],
)
def test_rows_that_are_no_boxes_are_dropped(row: list[float]) -> None:
    found = decode(_output(row, [10, 10, 8, 4, 0.6, 0]), 0.05, 0.4)
    assert found.score.tolist() == pytest.approx([0.6])


def test_a_network_that_needs_no_suppression_keeps_all_rows() -> None:
    twice = _output([50, 40, 30, 10, 0.9, 0], [50, 40, 30, 10, 0.8, 0])
    assert len(decode(twice, 0.05, None)) == 2
    assert len(decode(twice, 0.05, 0.4)) == 1


def test_nothing_is_capped() -> None:
    grid = [[20.0 * (i % 40), 20.0 * (i // 40), 12, 4, 0.9, 0] for i in range(1600)]
    assert len(decode(_output(*grid), 0.05, 0.4)) == 1600
    assert len(decode(_output(), 0.05, 0.4)) == 0


def test_boxes_stay_apart_by_their_corners_not_their_centres() -> None:
    cross = Detections.of(np.array([[50, 50, 100, 6, 0.0], [50, 50, 100, 6, np.pi / 2]]), np.array([0.9, 0.8]))
    assert len(suppress(cross, 0.4)) == 2
    assert fit(cross.xywhr, cross.xywhr)[0, 1] < 0.05
    assert to_corners(cross.xywhr).shape == (2, 4, 2)


def _plain_decode(output: Floats, size: tuple[int, int]) -> Floats:
    """Boxes of all anchors as ultralytics' make_anchors and dist2rbox describe them, one at a time."""
    rows, i = [], 0
    while i < len(output):
        for stride in STRIDES:
            for y in range(size[0] // stride):
                for x in range(size[1] // stride):
                    left, top, right, bottom, log_odds, angle = output[i].astype(float)
                    dx, dy = (right - left) / 2, (bottom - top) / 2
                    cx = x + 0.5 + dx * np.cos(angle) - dy * np.sin(angle)
                    cy = y + 0.5 + dx * np.sin(angle) + dy * np.cos(angle)
                    box = [cx * stride, cy * stride, (left + right) * stride, (top + bottom) * stride]
                    rows.append([*box, 1 / (1 + np.exp(-log_odds)), angle])
                    i += 1
    return np.array(rows)


@given(seed=SEEDS, rows=st.integers(1, 4), columns=st.integers(1, 4), networks=st.integers(1, 2))
def test_boxes_of_distances_are_ultralytics(seed: int, rows: int, columns: int, networks: int) -> None:
    size = (32 * rows, 32 * columns)
    rng = np.random.default_rng(seed)
    anchors = networks * sum((size[0] // s) * (size[1] // s) for s in STRIDES)
    spread = np.array([4, 4, 4, 4, 6, 3])
    output = (rng.uniform([0, 0, 0, 0, -1, -0.5], 1, (anchors, 6)) * spread).astype(np.float32)
    expected = _plain_decode(output, size)
    assert np.allclose(from_distances(output, 0.0, size), expected)
    alive = expected[expected[:, 4] >= 0.3]
    assert np.allclose(from_distances(output, 0.3, size), alive), "only those that reach the floor, in their order"
    assert len(from_distances(output, 1.0, size)) == 0
    assert anchors_of(size) == [(size[0] // s) * (size[1] // s) for s in (8, 16, 32)]
