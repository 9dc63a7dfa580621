"""The seam rule on cases that can be drawn on paper; tests/test_exactness.py has the properties."""

from __future__ import annotations

import numpy as np
import pytest
from fleet import PerfectDetector, fit, random_fleet
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.detections import Detections, Kind
from edge.geometry import Floats, Window
from edge.merge import SeamMerger
from edge.tiling import Tile, plan_tiles

WIDTH, HEIGHT, TILE, OVERLAP = 300, 100, 200, 100
LEFT, RIGHT = plan_tiles(WIDTH, HEIGHT, TILE, OVERLAP)
"""Columns 0 to 200 and 100 to 300; they meet at column 150."""
Box = tuple[float, float, float, float, float]


def _rows(*boxes: Box, score: float | list[float] = 0.8) -> Detections:
    """Boxes in px of the frame."""
    scores = np.broadcast_to(np.asarray(score, np.float64), len(boxes))
    return Detections.of(np.array(boxes, np.float64).reshape(-1, 5), scores)


def _merge(left: Detections, right: Detections) -> Detections:
    merger = SeamMerger(WIDTH, HEIGHT)
    for tile, rows in ((LEFT, left), (RIGHT, right)):
        merger.add(tile, rows.moved(-tile.window.x, -tile.window.y))
    return merger.finish()


def test_the_tiles_are_where_these_tests_think() -> None:
    assert [(t.window.x, t.window.right, t.core.x, t.core.right) for t in (LEFT, RIGHT)] == [
        (0, 200, 0, 150),
        (100, 300, 150, 300),
    ]


def test_nothing_comes_of_nothing() -> None:
    assert len(SeamMerger(10, 10).finish()) == 0
    assert len(_merge(_rows(), _rows())) == 0


def test_a_vessel_on_the_border_counts_once_though_both_tiles_own_it() -> None:
    found = _merge(_rows((151, 50, 60, 12, 0.3), score=0.7), _rows((149, 50, 60, 12, 0.3), score=0.6))
    assert found.score.tolist() == [0.7], "the better one stays"
    assert found.xywhr[0, 0] == 151


def test_a_vessel_on_the_border_counts_though_neither_core_has_it() -> None:
    assert len(_merge(_rows((152, 50, 60, 12, 0.3)), _rows((148, 50, 60, 12, 0.3)))) == 1


def test_a_vessel_that_only_one_tile_sees_counts_where_that_tile_owns_it() -> None:
    assert len(_merge(_rows((140, 50, 60, 12, 0.3)), _rows())) == 1
    assert len(_merge(_rows((170, 50, 20, 6, 0.3)), _rows())) == 0, "the margin of a tile has no say"


def test_rafted_hulls_on_the_border_stay_two() -> None:
    pair: tuple[Box, Box] = ((150, 44, 90, 12, 0.0), (150, 56.5, 90, 12, 0.0))
    assert len(_merge(_rows(*pair), _rows(*pair))) == 2
    one_each = _merge(_rows(pair[0]), _rows(pair[1]))
    assert len(one_each) == 2, "even where each tile sees another one of them"


def test_rafted_hulls_stay_two_where_tiles_place_them_on_each_other() -> None:
    """The left tile's lower box lies half-way to the right tile's upper one."""
    found = _merge(
        _rows((150, 50.9, 40, 4, 0.0), (150, 55.1, 40, 4, 0.0), score=[0.9, 0.6]),
        _rows((150, 49.0, 40, 4, 0.0), (150, 53.2, 40, 4, 0.0), score=[0.5, 0.8]),
    )
    assert len(found) == 2


def test_a_hull_cut_by_a_tiles_edge_is_replaced_by_the_whole_one() -> None:
    whole, cut = (165.0, 50.0, 90.0, 14.0, 0.0), (160.0, 50.0, 80.0, 14.0, 0.0)
    found = _merge(_rows(cut, score=0.95), _rows(whole, score=0.6))
    assert found.xywhr[:, 2].tolist() == [90], "whatever the scores say"


def test_a_hull_longer_than_the_overlap_is_joined_from_its_parts() -> None:
    left, right = (130.0, 50.0, 140.0, 20.0, 0.0), (165.0, 50.0, 130.0, 20.0, 0.0)
    found = _merge(_rows(left, score=0.7), _rows(right, score=0.9))
    assert len(found) == 1
    assert found.xywhr[0, :4].tolist() == pytest.approx([145, 50, 170, 20])
    assert found.score.tolist() == [0.9]


def test_parts_of_two_rafted_long_hulls_are_joined_each_with_its_own() -> None:
    left = _rows((130, 39, 140, 20, 0.0), (130, 61, 140, 20, 0.0))
    right = _rows((165, 39, 130, 20, 0.0), (165, 61, 130, 20, 0.0))
    found = _merge(left, right)
    assert found.xywhr[:, 1].tolist() == pytest.approx([39, 61])
    assert found.xywhr[:, 2].tolist() == pytest.approx([170, 170])


def test_two_hulls_in_line_stay_two() -> None:
    found = _merge(
        _rows((105, 50, 80, 12, 0.0), (191, 50, 18, 12, 0.0)), _rows((123, 50, 44, 12, 0), (201, 50, 80, 12, 0))
    )
    assert found.xywhr[:, 0].tolist() == pytest.approx([105, 201])


def test_a_hull_over_three_tiles_is_one() -> None:
    tiles = plan_tiles(700, 100, 300, 100)
    merger = SeamMerger(700, 100)
    for tile in tiles:
        start, stop = max(50, tile.window.x), min(650, tile.window.right)
        rows = _rows(((start + stop) / 2, 50.0, stop - start, 40.0, 0.0))
        merger.add(tile, rows.moved(-tile.window.x, -tile.window.y))
    assert len(tiles) == 3
    assert merger.finish().xywhr[:, :4].tolist() == [pytest.approx([350, 50, 600, 40])]


def test_kinds_and_their_scores_stay_with_their_boxes() -> None:
    near = Detections.of(
        np.array([[100.0, 30, 40, 10, 0], [80, 70, 40, 10, 0]]),
        np.array([0.9, 0.8]),
        np.array([Kind.TANKER, Kind.OTHER], np.int8),
        np.array([0.95, 0.1]),
    )
    found = _merge(near, _rows())
    assert found.kind.tolist() == [Kind.TANKER, Kind.OTHER]
    assert found.kind_score.tolist() == [0.95, 0.1]


def test_vessels_come_from_top_to_bottom_and_left_to_right() -> None:
    found = _merge(_rows((100, 70, 20, 5, 0), (40, 20, 20, 5, 0)), _rows((250, 20, 20, 5, 0)))
    assert found.xywhr[:, :2].tolist() == [[40, 20], [250, 20], [100, 70]]


def test_a_vessel_partly_outside_the_frame_belongs_to_the_tile_at_that_edge() -> None:
    found = _merge(_rows((-3, 50, 20, 8, 0.0), (60, -1, 20, 8, 0.0)), _rows((303, 101, 20, 8, 0.0)))
    assert len(found) == 3


def test_one_tile_is_taken_at_its_word() -> None:
    """Without a seam there is nothing to decide, not even between boxes that lie on each other."""
    tile = Tile(0, Window(0, 0, 128, 128), Window(0, 0, 100, 80))
    merger = SeamMerger(100, 80)
    merger.add(tile, _rows((50, 40, 30, 8, 0), (51, 41, 30, 8, 0), (99, 79, 40, 9, 1)))
    assert len(merger.finish()) == 3


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_the_order_of_the_tiles_does_not_matter(seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    tiles = plan_tiles(200, 180, 80, 40)
    fleet = random_fleet(rng, (200, 180), (10.0, 60.0), 10)
    detector = PerfectDetector(fleet, 2.0, seed)
    answers: list[Floats] = []
    for order in (range(len(tiles)), data.draw(st.permutations(range(len(tiles))))):
        merger = SeamMerger(200, 180)
        for i in order:
            merger.add(tiles[i], detector.find(tiles[i]))
        found = merger.finish()
        answers.append(np.column_stack([found.xywhr, found.score]))
    assert np.array_equal(*answers)


def test_many_vessels_do_not_take_memory_by_the_square() -> None:
    """30,000 boxes: a matrix of all pairs would be 7 GB."""
    rng = np.random.default_rng(5)
    tiles = plan_tiles(20_000, 100, 1000, 100)
    merger = SeamMerger(20_000, 100)
    expected = 0
    for tile in tiles:
        x = np.arange(tile.window.x + 4.0, tile.window.right - 4, 10)
        x = x[x % 10 == 4]
        xx, yy = np.meshgrid(x, np.arange(4.0, 100, 6))
        boxes = np.column_stack(
            [xx.ravel(), yy.ravel(), np.full(xx.size, 9.0), np.full(xx.size, 3.0), np.zeros(xx.size)]
        )
        merger.add(tile, Detections.of(boxes, rng.uniform(0.1, 1, len(boxes))).moved(-tile.window.x, -tile.window.y))
        expected += len(boxes)
    assert expected > 30_000
    assert len(merger.finish()) == 2000 * 16
    assert fit(np.array([[0.0, 0, 9, 3, 0]]), np.array([[10.0, 0, 9, 3, 0]])).max() == 0
