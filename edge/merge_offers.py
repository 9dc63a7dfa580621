"""All tiles' boxes on the frame, and what each tile says of its own: a column a property, all tiles at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.detections import Detections
from edge.geometry import Floats, envelopes, to_corners

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.tiling import Tile

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

BAND_PX = 4.0
BAND_SHARE = 0.08
"""A tile owns vessels up to BAND_PX + BAND_SHARE x length outside its core: as far as two tiles' centres differ."""
EDGE_PX = 2.5
"""A box that comes this near to a tile's inner edge may be cut there."""


@dataclass(frozen=True, slots=True)
class Claims:
    """A few boxes in the frame of the plan, a row a box: all that the seam rules ask for."""

    xywhr: Floats
    """Boxes with shape (n, 5)."""
    tile: Indices
    """Number of the tile, shape (n,), rising."""
    window: Ints
    """Left, top, right, bottom of the tile's window, px, shape (n, 4)."""
    cut: Flags
    """Touches an edge of the tile that is not an edge of the frame, shape (n,)."""


@dataclass(frozen=True, slots=True)
class Offers:
    """All boxes in the frame of the plan, sorted by tile."""

    boxes: Floats
    """Columns x, y, length, beam (px) and angle of the boxes, shape (5, n)."""
    rows: Detections
    """The same boxes in px of their tiles, with scores and kinds."""
    axis: Floats
    """Cosine and sine of the angles, shape (2, n)."""
    bounds: Floats
    """Left, top, right, bottom of the boxes, right up to rounding, shape (4, n)."""
    tile: Indices
    """Number of the tile in the order of the plan, shape (n,)."""
    windows: Ints
    """Left, top, right, bottom of each tile's window, px, shape (tiles, 4)."""
    owned: Flags
    """Centre in the tile's core or the band round it, shape (n,)."""
    inside: Flags
    """Centre in the core itself, shape (n,)."""
    cut: Flags
    """See Claims."""

    def __len__(self) -> int:
        """Count the boxes."""
        return len(self.tile)

    def xywhr(self, chosen: Indices) -> Floats:
        """Some of the boxes, shape (m, 5)."""
        return np.stack([column.take(chosen) for column in self.boxes], 1)

    def claims(self, chosen: Indices) -> Claims:
        """Some of the boxes, in rising order, for the rules."""
        tile = self.tile[chosen]
        return Claims(self.xywhr(chosen), tile, self.windows[tile], self.cut[chosen])


def common_ground(one: Ints, other: Ints) -> Ints:
    """What windows (m, 4) share; where they share nothing, right is not right of left or bottom not below top."""
    return np.concatenate([np.maximum(one[:, :2], other[:, :2]), np.minimum(one[:, 2:], other[:, 2:])], 1)


def gather(parts: Sequence[tuple[Tile, Detections]], frame: tuple[int, int]) -> Offers:
    """What the tiles, in the order of the plan, say of a frame of width x height px."""
    rows = Detections.concat([found for _, found in parts])
    number = np.array([len(found) for _, found in parts])
    windows, cores = _extents([tile for tile, _ in parts])
    size = np.array([0, 0, *frame])
    # A frame edge is no seam: what lies beyond it belongs to the tile at that edge, and it cuts nothing.
    beyond = np.array([-np.inf, -np.inf, np.inf, np.inf])
    inner = np.concatenate([windows[:, :2] > size[:2], windows[:, 2:] < size[2:]], 1)
    edges, held = np.where(inner, windows, beyond), np.where(cores == size, beyond, cores)
    boxes = np.ascontiguousarray(rows.xywhr.T)
    for axis in (0, 1):
        boxes[axis] += np.repeat(windows[:, axis], number)
    direction = np.stack([np.cos(boxes[4]), np.sin(boxes[4])])
    bounds = _bounds(boxes, direction)
    owned, inside = _held(boxes, held, number)
    return Offers(
        boxes, rows, direction, bounds,
        tile=np.repeat(np.arange(len(parts)), number), windows=windows,
        owned=owned, inside=inside, cut=_cut(boxes, bounds, edges, number),
    )  # fmt: skip


def _extents(tiles: Sequence[Tile]) -> tuple[Ints, Ints]:
    """Windows and cores, each left, top, right, bottom, shape (tiles, 4)."""
    flat = [(w.x, w.y, w.width, w.height, c.x, c.y, c.width, c.height) for w, c in ((t.window, t.core) for t in tiles)]
    both = np.array(flat, np.int64).reshape(-1, 2, 2, 2)
    both[:, :, 1] += both[:, :, 0]
    return both[:, 0].reshape(-1, 4), both[:, 1].reshape(-1, 4)


def _bounds(boxes: Floats, axis: Floats) -> Floats:
    """Left, top, right, bottom (4, n) of boxes (5, n)."""
    x, y, length, beam, _ = boxes
    cos, sin = np.abs(axis)
    wide, high = (cos * length + sin * beam) / 2, (sin * length + cos * beam) / 2
    return np.stack([x - wide, y - high, x + wide, y + high])


def _held(boxes: Floats, cores: Floats, number: Indices) -> tuple[Flags, Flags]:
    """Which centres lie in their tile's core or the band round it, and which in the core; shapes (n,)."""
    band = BAND_PX + BAND_SHARE * boxes[2]
    owned, inside = np.ones(len(band), np.bool_), np.ones(len(band), np.bool_)
    for axis in (0, 1):
        low, high = np.repeat(cores[:, axis], number), np.repeat(cores[:, axis + 2], number)
        owned &= (boxes[axis] >= low - band) & (boxes[axis] < high + band)
        # Half open, as the cores are: a centre on the border belongs to one tile only.
        inside &= (boxes[axis] >= low) & (boxes[axis] < high)
    return owned, inside


def _cut(boxes: Floats, bounds: Floats, edges: Floats, number: Indices) -> Flags:
    """Which boxes come near to an edge (tiles, 4) of their tile; shape (n,)."""
    reach = np.full(len(boxes[0]), np.inf)
    for side, sign in enumerate((1, 1, -1, -1)):
        np.minimum(reach, sign * (bounds[side] - np.repeat(edges[:, side], number)), out=reach)
    cut = np.asarray(reach <= EDGE_PX)
    # `bounds` are right up to rounding: on the line the corners decide.
    close = np.flatnonzero(np.abs(reach - EDGE_PX) <= 1e-9 * (1 + np.abs(bounds).max(initial=0.0)))
    exact = envelopes(to_corners(boxes[:, close].T))
    its = edges[np.searchsorted(np.cumsum(number), close, side="right")]
    cut[close] = (np.concatenate([exact[:, :2] - its[:, :2], its[:, 2:] - exact[:, 2:]], 1) <= EDGE_PX).any(1)
    return cut
