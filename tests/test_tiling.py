from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.tiling import plan_tiles


@st.composite
def plans(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Width, height, tile, overlap; a few hundred tiles at most."""
    tile = draw(st.integers(1, 200))
    overlap = draw(st.integers(0, tile - 1))
    most = tile + 15 * (tile - overlap)
    return draw(st.integers(1, most)), draw(st.integers(1, most)), tile, overlap


@given(plan=plans())
def test_cores_partition_the_frame(plan: tuple[int, int, int, int]) -> None:
    width, height, tile, overlap = plan
    owners = np.zeros((height, width), np.int32)
    for part in plan_tiles(width, height, tile, overlap):
        core = part.core
        assert core.x >= 0
        assert core.y >= 0
        owners[core.y : core.bottom, core.x : core.right] += 1
    assert (owners == 1).all()


@given(plan=plans())
def test_tiles_are_equal_inside_the_frame_and_hold_their_cores(plan: tuple[int, int, int, int]) -> None:
    width, height, tile, overlap = plan
    for part in plan_tiles(width, height, tile, overlap):
        window, core = part.window, part.core
        assert (window.width, window.height) == (tile, tile)
        assert window.x >= 0
        assert window.y >= 0
        assert window.right <= max(width, tile)
        assert window.bottom <= max(height, tile)
        assert window.x <= core.x < core.right <= window.right
        assert window.y <= core.y < core.bottom <= window.bottom


@given(plan=plans())
def test_tiles_go_row_by_row_and_the_last_is_shifted_back(plan: tuple[int, int, int, int]) -> None:
    width, height, tile, overlap = plan
    tiles = plan_tiles(width, height, tile, overlap)
    assert [t.index for t in tiles] == list(range(len(tiles)))
    places = [(t.window.y, t.window.x) for t in tiles]
    assert places == sorted(set(places))
    for extent, starts in ((width, sorted({x for _, x in places})), (height, sorted({y for y, _ in places}))):
        assert starts[0] == 0
        assert starts[-1] + tile == max(extent, tile)
        steps = np.diff(starts)
        assert (steps <= tile - overlap).all(), "they overlap by at least as much as asked for"
        assert (steps[:-1] == tile - overlap).all(), "and by no more, but for the last"


@given(plan=plans())
def test_what_is_no_longer_than_the_overlap_is_whole_in_its_owners_tile(plan: tuple[int, int, int, int]) -> None:
    width, height, tile, overlap = plan
    for part in plan_tiles(width, height, tile, overlap):
        window, core = part.window, part.core
        for left, right, start, stop, extent in (
            (window.x, window.right, core.x, core.right, width),
            (window.y, window.bottom, core.y, core.bottom, height),
        ):
            assert left == 0 or start - left >= overlap // 2
            assert right >= extent or right - stop >= overlap // 2


def test_a_frame_smaller_than_a_tile_is_one_tile() -> None:
    (only,) = plan_tiles(50, 30, 64, 10)
    assert (only.window.width, only.window.height) == (64, 64)
    assert (only.core.width, only.core.height) == (50, 30)


def test_a_known_plan() -> None:
    tiles = plan_tiles(250, 100, 100, 20)
    assert [t.window.x for t in tiles] == [0, 80, 150]
    assert [(t.core.x, t.core.right) for t in tiles] == [(0, 90), (90, 165), (165, 250)]


@pytest.mark.parametrize(("tile", "overlap"), [(10, 10), (10, 11), (10, -1), (0, 0)])
def test_an_overlap_that_cannot_be(tile: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        plan_tiles(20, 20, tile, overlap)


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (-3, 5)])
def test_an_empty_frame(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="nothing to tile"):
        plan_tiles(width, height, 10, 2)
