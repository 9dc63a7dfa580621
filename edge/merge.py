"""Tiles' detections -> the scene's, each vessel once.

Tiles overlap, so neighbours see the same vessel, each a little off. Which boxes are one vessel is decided between tiles
and never within one: two boxes of the same tile are two vessels. So rafted hulls stay two, even where one tile's box of
the one lies on another tile's box of the other. A hull that a tile's edge cuts is compared on the ground that both
tiles see, with what is left of it.

A box is a detection of a vessel where it overlaps it by an IoU of 0.5 or more. Then two tiles' boxes of one vessel
overlap by 0.2 or more, and their boxes of two vessels by less than 0.5. So from 0.5 on two boxes are one vessel, and
below they are paired so that as few vessels as possible explain what all tiles say.

A tile owns the vessels whose centre lies in its core, or in a band round it as wide as two tiles' centres differ. A
vessel is kept where a tile owns one of its boxes; what only the margins of tiles say is not. Of its boxes the best
whole one stays. Where vessels may be longer than the overlap (the GSD is not known) no tile may have seen the whole:
then the parts are joined.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from edge.detections import Detections
from edge.geometry import (
    Floats,
    areas,
    envelopes,
    overlapping_pairs,
    paired_intersection,
    paired_iou,
    round_visible,
    to_corners,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.tiling import Tile

    Indices = NDArray[np.intp]
    Flags = NDArray[np.bool_]

SURE_IOU = 0.5
"""Rotated IoU from which boxes of two tiles are the same vessel, whatever else is near."""
LEAST_IOU = 0.2
"""Rotated IoU below which they are not: two detections of a vessel, each of IoU 0.5 with it, overlap by 0.2 or more."""
BAND_PX = 4.0
BAND_SHARE = 0.08
"""A tile owns vessels up to BAND_PX + BAND_SHARE x length outside its core: as far as two tiles' centres differ."""
EDGE_PX = 2.5
"""A box that comes this near to a tile's inner edge may be cut there."""
PART_SHARE = 0.6
"""A cut box that lies with this share of its area on another tile's box, grown by BAND_PX, is a part of that vessel."""


@dataclass(frozen=True, slots=True)
class _Offers:
    """All tiles' boxes in the frame of the plan, a row a box, with what their tile says of them."""

    rows: Detections
    tile: Indices
    """Index of the tile, shape (n,)."""
    window: NDArray[np.int64]
    """Left, top, right, bottom of the tile's window, px, shape (n, 4)."""
    owned: Flags
    """Centre in the tile's core or the band round it, shape (n,)."""
    inside: Flags
    """Centre in the core itself, shape (n,)."""
    cut: Flags
    """Touches an edge of the tile that is not an edge of the frame, shape (n,)."""


class SeamMerger:
    """Collects tiles' detections in any order; the result does not depend on that order."""

    def __init__(self, width: int, height: int) -> None:
        """For a frame of width x height px, the one that was tiled."""
        self._frame = np.array([0.0, 0.0, width, height])
        self._parts: dict[int, tuple[Tile, Detections]] = {}

    def add(self, tile: Tile, detections: Detections) -> None:
        """Take one tile's detections, px of the tile."""
        self._parts[tile.index] = (tile, detections.moved(tile.window.x, tile.window.y))

    def finish(self) -> Detections:
        """The frame's vessels, ordered by centre y, then x."""
        if not self._parts:
            return Detections.empty()
        offers = _join([_offer(*self._parts[i], self._frame) for i in sorted(self._parts)])
        kept = _one_each(offers, _same_vessel(offers))
        return kept[np.lexsort((kept.score, kept.xywhr[:, 0], kept.xywhr[:, 1]))]


class _Vessels:
    """Boxes sorted by vessel. At first each is a vessel of its own; two of one tile never become one."""

    def __init__(self, offers: _Offers) -> None:
        self.of = np.arange(len(offers.tile))
        """Number of the vessel of each box, shape (n,)."""
        self.boxes = {i: [i] for i in range(len(self.of))}
        self.tiles = {i: {int(t)} for i, t in enumerate(offers.tile)}
        self.whole = set(np.flatnonzero(~offers.cut).tolist())
        """Vessels of which a tile has seen all."""

    def unite(self, box: int, other: int) -> None:
        """Make the vessels of two boxes one, unless one tile has seen both."""
        one, two = int(self.of[other]), int(self.of[box])
        if one == two or not self.tiles[one].isdisjoint(self.tiles[two]):
            return
        moved = self.boxes.pop(two)
        self.of[moved] = one
        self.boxes[one] += moved
        self.tiles[one] |= self.tiles.pop(two)
        if two in self.whole:
            self.whole.add(one)


def _offer(tile: Tile, rows: Detections, frame: Floats) -> _Offers:
    """What a tile says of its detections (frame px)."""
    core = np.array([tile.core.x, tile.core.y, tile.core.right, tile.core.bottom], np.float64)
    # A frame edge is no seam: what lies beyond it belongs to the tile at that edge.
    core = np.where(core == frame, [-np.inf, -np.inf, np.inf, np.inf], core)
    window = np.array([tile.window.x, tile.window.y, tile.window.right, tile.window.bottom])
    inner = np.concatenate([window[:2] > frame[:2], window[2:] < frame[2:]])
    bounds = envelopes(rows.corners)
    reach = np.concatenate([bounds[:, :2] - window[:2], window[2:] - bounds[:, 2:]], 1)
    centre, band = rows.xywhr[:, :2], BAND_PX + BAND_SHARE * rows.xywhr[:, 2:3]
    return _Offers(
        rows,
        tile=np.full(len(rows), tile.index),
        window=np.tile(window, (len(rows), 1)),
        owned=np.all((centre >= core[:2] - band) & (centre < core[2:] + band), axis=1),
        # Half open, as the cores are: a centre on the border belongs to one tile only.
        inside=np.all((centre >= core[:2]) & (centre < core[2:]), axis=1),
        cut=np.any((reach <= EDGE_PX) & inner, axis=1),
    )


def _join(parts: list[_Offers]) -> _Offers:
    """All tiles' offers as one, in the order of the parts."""
    columns = (np.concatenate([getattr(p, field.name) for p in parts]) for field in fields(_Offers)[1:])
    return _Offers(Detections.concat([p.rows for p in parts]), *columns)


def _same_vessel(offers: _Offers) -> Indices:
    """Number (n,) of the vessel that each box is of."""
    vessels = _Vessels(offers)
    a, b, iou = _pairs(offers)
    either_cut = offers.cut[a] | offers.cut[b]
    for k in np.lexsort((b, a, -iou, either_cut)):
        if iou[k] >= SURE_IOU:
            vessels.unite(int(a[k]), int(b[k]))
    for group in np.split(np.arange(len(a)), np.flatnonzero(np.diff(offers.tile[a])) + 1):
        while _pair_up(vessels, a[group], b[group], iou[group]):
            pass  # a vessel that found its part in one tile may have others in more
    # What is left are slivers, which a px more or less makes another box, and parts whose link came after both.
    for one, other, fit in ((a, b, iou), _parts(offers)):
        for k in np.lexsort((other, one, -fit)):
            if not vessels.whole.issuperset((int(vessels.of[one[k]]), int(vessels.of[other[k]]))):
                vessels.unite(int(one[k]), int(other[k]))
    return vessels.of


def _pair_up(vessels: _Vessels, asking: Indices, known: Indices, iou: Floats) -> int:
    """Unite vessels of one tile's boxes with vessels of earlier tiles' boxes, one to one, as many as possible.

    By augmenting paths (Kuhn's matching), the best pairs first. Tells how many were united.
    """
    best: dict[tuple[int, int], float] = {}
    for k in range(len(iou)):
        pair = int(vessels.of[asking[k]]), int(vessels.of[known[k]])
        if pair[0] != pair[1] and vessels.tiles[pair[0]].isdisjoint(vessels.tiles[pair[1]]):
            best[pair] = max(best.get(pair, 0.0), float(iou[k]))
    options: dict[int, list[int]] = {}
    for one, other in sorted(best, key=lambda pair: (-best[pair], pair)):
        options.setdefault(one, []).append(other)
    taken_by: dict[int, int] = {}
    for one in options:
        _place(one, options, taken_by)
    for other, one in taken_by.items():
        vessels.unite(vessels.boxes[one][0], vessels.boxes[other][0])
    return len(taken_by)


def _place(one: int, options: dict[int, list[int]], taken_by: dict[int, int]) -> None:
    """Give `one` an option, if need be by giving others what they can have instead."""
    came_from: dict[int, int] = {}
    queue = deque([one])
    while queue:
        asking = queue.popleft()
        for option in options[asking]:
            if option in came_from:
                continue
            came_from[option] = asking
            if option in taken_by:
                queue.append(taken_by[option])
                continue
            held = {taker: other for other, taker in taken_by.items()}
            free: int | None = option
            while free is not None:
                taker = came_from[free]
                taken_by[free], free = taker, held.get(taker)
            return


def _pairs(offers: _Offers) -> tuple[Indices, Indices, Floats]:
    """Boxes a of later tiles, b of earlier ones, that may be one vessel, and their IoU on common ground; by a, b."""
    bounds = envelopes(offers.rows.corners)
    pairs = overlapping_pairs(bounds, bounds)
    a, b = pairs[offers.tile[pairs[:, 0]] > offers.tile[pairs[:, 1]]].T
    first, second, w = offers.rows.corners[a], offers.rows.corners[b], offers.window
    common = np.concatenate([np.maximum(w[a, :2], w[b, :2]), np.minimum(w[a, 2:], w[b, 2:])], 1)
    cut = np.flatnonzero(offers.cut[a] | offers.cut[b])
    first[cut] = _seen_in(offers.rows.xywhr[a[cut]], common[cut])
    second[cut] = _seen_in(offers.rows.xywhr[b[cut]], common[cut])
    iou = paired_iou(first, second)
    near = iou >= LEAST_IOU
    return a[near], b[near], iou[near]


def _seen_in(boxes: Floats, windows: NDArray[np.int64]) -> Floats:
    """Corners (m, 4, 2) of the boxes along the same axes round what shows of boxes (m, 5) in windows (m, 4)."""
    corners = to_corners(boxes)
    bounds = envelopes(corners)
    over = np.flatnonzero((bounds[:, :2] < windows[:, :2]).any(1) | (bounds[:, 2:] > windows[:, 2:]).any(1))
    corners[over] = to_corners(round_visible(boxes[over], windows[over].astype(np.float64)))
    return corners


def _round_all(points: Floats, angle: float) -> Floats:
    """The smallest box (5,) at an angle that holds the points (n, 2)."""
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = points @ axes
    low, high = turned.min(0), turned.max(0)
    return np.array([*(axes @ ((low + high) / 2)), *(high - low), angle])


def _parts(offers: _Offers) -> tuple[Indices, Indices, Floats]:
    """Cut boxes a that lie on whole boxes b of other tiles, and with which share of their area."""
    part, whole = np.flatnonzero(offers.cut), np.flatnonzero(~offers.cut)
    grown = offers.rows.xywhr[whole].copy()
    grown[:, 2:4] += 2 * BAND_PX
    small, large = offers.rows.corners[part], to_corners(grown)
    pairs = overlapping_pairs(envelopes(small), envelopes(large))
    pairs = pairs[offers.tile[part[pairs[:, 0]]] != offers.tile[whole[pairs[:, 1]]]]
    i, j = pairs.T
    share = paired_intersection(small[i], large[j]) / np.maximum(areas(small[i]), 1e-9)
    near = share >= PART_SHARE
    return part[i[near]], whole[j[near]], share[near]


def _one_each(offers: _Offers, vessel: Indices) -> Detections:
    """One box for each vessel that a tile owns: the best of the whole ones, or all parts as one."""
    rows, o = offers.rows, offers
    kept_vessels = np.zeros(len(vessel), bool)
    kept_vessels[vessel[o.owned]] = True
    # Whole before cut, owned before not; then the better score, the tile in whose core it lies, the plan's order.
    order = np.lexsort((o.tile, ~o.inside, -rows.score, ~o.owned, o.cut, vessel))
    first = order[np.concatenate([[True], np.diff(vessel[order]) != 0])] if len(order) else order
    first = first[kept_vessels[vessel[first]]]
    boxes = rows.xywhr.copy()
    corners, area = rows.corners, areas(rows.corners)
    for i in first[o.cut[first]]:
        parts = np.flatnonzero(vessel == vessel[i])
        largest = boxes[parts[np.argmax(area[parts])]].copy()
        joined = _round_all(corners[parts].reshape(-1, 2), largest[4])
        # No larger than by what tiles differ anyway: it was whole, and only close to the edge.
        boxes[i] = largest if (joined[2:4] <= largest[2:4] + 2 * BAND_PX).all() else joined
    return Detections.of(boxes[first], rows.score[first], rows.kind[first], rows.kind_score[first])
