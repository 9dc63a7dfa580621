"""Tiles' detections -> the scene's, each vessel once.

A tile owns the vessels whose centre lies in its core. Two tiles that see the same vessel place its centre a little
apart, so at a seam both or neither might own it: each tile therefore also offers what lies within a narrow band round
its core, and of offers from different tiles that overlap as oriented boxes the best one stays. Hulls side by side do
not overlap as oriented boxes, so rafted vessels stay two. Only boxes near a seam are ever compared.

Where vessels may be longer than the overlap (the GSD is not known), a tile may see a part only: a box that ends at a
tile's inner edge is replaced by the whole box of another tile, or joined with the part beyond.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.detections import Detections
from edge.geometry import (
    Floats,
    areas,
    envelopes,
    from_corners,
    overlapping_pairs,
    paired_intersection,
    paired_iou,
    to_corners,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.tiling import Tile

SAME_VESSEL_IOU = 0.3
"""Rotated IoU from which boxes of two tiles are one vessel; two hulls side by side stay far below."""
BAND_PX = 4.0
BAND_SHARE = 0.08
"""A tile offers vessels up to BAND_PX + BAND_SHARE x length outside its core: as far as two tiles' centres differ."""
EDGE_PX = 2.0
"""A box that comes this near to a tile's inner edge may be cut there."""
PART_SHARE = 0.6
"""A cut box that lies in another tile's box with this share of its area is a part of that vessel."""
ALIGNED_RAD = 0.2
"""Parts of one hull point the same way to within this."""


@dataclass(frozen=True, slots=True)
class _Offers:
    """All tiles' detections in the frame of the plan, with what their tile says of them."""

    rows: Detections
    tile: NDArray[np.intp]
    owned: NDArray[np.bool_]
    """Centre within the band round the tile's core."""
    inside: NDArray[np.bool_]
    """Centre within the core itself."""
    cut: NDArray[np.bool_]
    """Touches an edge of the tile that is not an edge of the frame."""
    seam: NDArray[np.bool_]
    """Reaches over the core's border: another tile may see it too."""


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
        parts = [self._parts[i] for i in sorted(self._parts)]
        offers = _join([self._offer(tile, rows) for tile, rows in parts])
        rows = _complete(offers) if len(parts) > 1 else offers.rows
        rows, offers = rows[offers.owned], _pick(offers, offers.owned)
        kept = rows[_each_once(rows, offers)] if len(parts) > 1 else rows
        return kept[np.lexsort((kept.score, kept.xywhr[:, 0], kept.xywhr[:, 1]))]

    def _offer(self, tile: Tile, rows: Detections) -> _Offers:
        """What a tile says of its detections (frame px)."""
        core = np.array([tile.core.x, tile.core.y, tile.core.right, tile.core.bottom], np.float64)
        # A frame edge is no seam: what lies beyond it belongs to the tile at that edge.
        open_ended = np.where(core == self._frame, [-np.inf, -np.inf, np.inf, np.inf], core)
        band = BAND_PX + BAND_SHARE * rows.xywhr[:, 2]
        bounds = envelopes(rows.corners)
        window = np.array([tile.window.x, tile.window.y, tile.window.right, tile.window.bottom], np.float64)
        inner = np.concatenate([window[:2] > self._frame[:2], window[2:] < self._frame[2:]])
        near = np.abs(bounds - window) <= EDGE_PX
        beyond = np.concatenate([bounds[:, :2] <= window[:2], bounds[:, 2:] >= window[2:]], 1)
        # Half open, as the cores are: a centre on the border belongs to one tile only.
        centre = rows.xywhr[:, :2]
        inside = np.all((centre >= open_ended[:2]) & (centre < open_ended[2:]), axis=1)
        owned = np.all((centre >= open_ended[:2] - band[:, None]) & (centre < open_ended[2:] + band[:, None]), axis=1)
        low, high = open_ended[:2] + band[:, None], open_ended[2:] - band[:, None]
        reach = np.concatenate([bounds[:, :2] < low, bounds[:, 2:] > high], 1)
        cut = np.any((near | beyond) & inner, axis=1)
        return _Offers(rows, np.full(len(rows), tile.index), owned, inside, cut, np.any(reach, axis=1))


def _join(parts: list[_Offers]) -> _Offers:
    """All tiles' offers as one."""
    columns = (np.concatenate([getattr(p, name) for p in parts]) for name in ("tile", "owned", "inside", "cut", "seam"))
    return _Offers(Detections.concat([p.rows for p in parts]), *columns)


def _pick(offers: _Offers, rows: NDArray[np.bool_]) -> _Offers:
    """Some of the offers."""
    o = offers
    return _Offers(o.rows[rows], o.tile[rows], o.owned[rows], o.inside[rows], o.cut[rows], o.seam[rows])


def _complete(offers: _Offers) -> Detections:
    """The same rows, with owned boxes that a tile's edge cut made whole where another tile saw more."""
    mine = np.flatnonzero(offers.owned & offers.cut)
    theirs = np.flatnonzero(offers.seam | offers.cut)
    boxes = offers.rows.xywhr.copy()
    if len(mine) == 0 or len(theirs) == 0:
        return offers.rows
    corners = offers.rows.corners
    bounds = envelopes(corners)
    pairs = overlapping_pairs(bounds[mine], bounds[theirs])
    a, b = mine[pairs[:, 0]], theirs[pairs[:, 1]]
    apart = offers.tile[a] != offers.tile[b]
    a, b = a[apart], b[apart]
    shared = paired_intersection(corners[a], corners[b])
    area = areas(corners)
    turn = np.abs((boxes[a, 4] - boxes[b, 4] + np.pi / 2) % np.pi - np.pi / 2)
    part = (shared >= PART_SHARE * np.minimum(area[a], area[b])) & (turn <= ALIGNED_RAD)
    for i in np.unique(a[part]):
        partners = b[part & (a == i)]
        whole = partners[~offers.cut[partners]]
        if len(whole):
            boxes[i] = boxes[whole[np.argmax(offers.rows.score[whole])]]
        else:
            boxes[i] = _round_all(corners[np.append(partners, i)])
    return Detections(boxes, offers.rows.score, offers.rows.kind, offers.rows.kind_score)


def _round_all(corners: Floats) -> Floats:
    """The box (5,) along the longest of these aligned boxes (n, 4, 2) that holds all of them."""
    each = from_corners(corners)
    angle = each[np.argmax(each[:, 2]), 4]
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = corners.reshape(-1, 2) @ axes
    low, high = turned.min(0), turned.max(0)
    centre = axes @ ((low + high) / 2)
    return np.array([centre[0], centre[1], high[0] - low[0], max(high[1] - low[1], 1e-6), angle])


def _each_once(rows: Detections, offers: _Offers) -> NDArray[np.bool_]:
    """Which owned rows stay when boxes of different tiles that are one vessel are reduced to the best of them."""
    keep = np.ones(len(rows), bool)
    near = np.flatnonzero(offers.seam)
    if len(near) == 0:
        return keep
    # Whole before cut, better score first, then the tile in whose core it lies, then the plan's order.
    order = near[np.lexsort((offers.tile[near], ~offers.inside[near], -rows.score[near], offers.cut[near]))]
    corners = to_corners(rows.xywhr[order])
    bounds = envelopes(corners)
    pairs = overlapping_pairs(bounds, bounds)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    pairs = pairs[offers.tile[order[pairs[:, 0]]] != offers.tile[order[pairs[:, 1]]]]
    pairs = pairs[paired_iou(corners[pairs[:, 0]], corners[pairs[:, 1]]) >= SAME_VESSEL_IOU]
    for better, worse in pairs:
        if keep[order[better]]:
            keep[order[worse]] = False
    return keep
