"""Plan the tiles of a scene: pure integers, row-major, all of one size.

Each tile owns a core; the cores partition the scene. With an overlap of at least the longest vessel, a vessel whose
centre lies in a core is whole in that core's tile, so one tile sees all of every vessel.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.geometry import Window

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Tile:
    """One window that goes through the model, and the part of it that it owns."""

    index: int
    """Position in row-major order, from 0."""
    window: Window
    """Px of the frame that was planned. Where the frame is smaller than a tile, the window reaches beyond it."""
    core: Window
    """Px of the same frame; the cores of a plan partition the frame."""


def _starts(extent: int, tile: int, overlap: int) -> list[int]:
    """First px of each tile along one axis; the last tile is shifted back so that none is a sliver."""
    if extent <= tile:
        return [0]
    stride = tile - overlap
    count = -(-(extent - tile) // stride) + 1
    return [min(i * stride, extent - tile) for i in range(count)]


def _cores(starts: list[int], extent: int, tile: int) -> list[tuple[int, int]]:
    """Owned (start, stop) along one axis: neighbours meet in the middle of what they share."""
    cuts = [(b + a + tile) // 2 for a, b in itertools.pairwise(starts)]
    return list(zip([0, *cuts], [*cuts, extent], strict=True))


def best_side(frame: tuple[int, int], overlap: int, sides: Sequence[int]) -> int:
    """Of the sides of tiles, px, the one that covers a frame (width, height) with the fewest px.

    The work of a network grows with the px that it sees; tiles that fit a frame badly overlap more than they must.
    """

    def work(side: int) -> int:
        return len(_starts(frame[0], side, overlap)) * len(_starts(frame[1], side, overlap)) * side * side

    return min(sides, key=work)


def plan_tiles(width: int, height: int, tile: int, overlap: int) -> list[Tile]:
    """Cover a frame of width x height px with square tiles of `tile` px that share at least `overlap` px.

    Raises:
        ValueError: the overlap is negative or not smaller than the tile, or the frame is empty.
    """
    if width <= 0 or height <= 0:
        msg = f"a frame of {width} x {height} px has nothing to tile"
        raise ValueError(msg)
    if not 0 <= overlap < tile:
        msg = f"the overlap ({overlap} px) must lie between 0 and the tile size ({tile} px)"
        raise ValueError(msg)
    columns, rows = _starts(width, tile, overlap), _starts(height, tile, overlap)
    spans_x, spans_y = _cores(columns, width, tile), _cores(rows, height, tile)
    tiles: list[Tile] = []
    for y, (top, bottom) in zip(rows, spans_y, strict=True):
        for x, (left, right) in zip(columns, spans_x, strict=True):
            core = Window(left, top, right - left, bottom - top)
            tiles.append(Tile(len(tiles), Window(x, y, tile, tile), core))
    return tiles
