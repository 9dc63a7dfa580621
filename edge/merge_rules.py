"""The seam rules in full, box by box: which boxes of several tiles are one vessel."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from edge.geometry import (
    areas,
    envelopes,
    overlapping_pairs,
    paired_intersection,
    paired_iou,
    round_visible,
    to_corners,
)
from edge.merge_offers import BAND_PX, common_ground

if TYPE_CHECKING:
    from edge.geometry import Floats
    from edge.merge_offers import Claims, Flags, Indices, Ints

    Links = tuple[Indices, Indices, Floats]

SURE_IOU = 0.5
"""Rotated IoU from which boxes of two tiles are the same vessel, whatever else is near."""
LEAST_IOU = 0.2
"""Rotated IoU below which they are not: two detections of a vessel, each of IoU 0.5 with it, overlap by 0.2 or more."""
PART_SHARE = 0.6
"""A cut box that lies with this share of its area on another tile's whole box, grown by BAND_PX, is a part of that
vessel. So it is on a cut box where it is the smaller and neither reaches more than BAND_PX into the tile that cut it,
if its vessel is nothing but such slivers: two tiles differ by as much, so where four of them meet, one may see a sliver
of what no other one has there.
"""


class _Vessels:
    """Boxes sorted by vessel. At first each is a vessel of its own; two of one tile never become one."""

    def __init__(self, claims: Claims) -> None:
        self.of = np.arange(len(claims.tile))
        """Number of the vessel of each box, shape (n,)."""
        self.boxes = {i: [i] for i in range(len(self.of))}
        self.tiles = {i: {int(t)} for i, t in enumerate(claims.tile)}
        self.whole = set(np.flatnonzero(~claims.cut).tolist())
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


def vessels_by_rule(claims: Claims) -> Indices:
    """Number (n,) of the vessel that each box is of."""
    vessels = _Vessels(claims)
    a, b, iou = _pairs(claims)
    either_cut = claims.cut[a] | claims.cut[b]
    for k in np.lexsort((b, a, -iou, either_cut)):
        if iou[k] >= SURE_IOU:
            vessels.unite(int(a[k]), int(b[k]))
    # Whole boxes first: what is left of a cut one says less of whose it is.
    for chosen in (np.flatnonzero(~either_cut), np.arange(len(a))):
        for group in np.split(chosen, np.flatnonzero(np.diff(claims.tile[a[chosen]])) + 1):
            while _pair_up(vessels, a[group], b[group], iou[group]):
                pass  # a vessel that found its part in one tile may have others in more
    # What is left are slivers, which a px more or less makes another box, and parts whose link came after both.
    on_whole, on_cut = _parts(claims)
    _join(vessels, (a, b, iou))
    _join(vessels, on_whole)
    every = np.arange(len(claims.tile))
    _join(vessels, on_cut, np.asarray(_depths(claims, every, every).min(1) <= BAND_PX))
    return vessels.of


def _join(vessels: _Vessels, links: Links, slivers: Flags | None = None) -> None:
    """Unite linked vessels, best fit first, unless both have been seen whole; if asked, only slivers with others."""
    one, other, fit = links
    for k in np.lexsort((other, one, -fit)):
        ends = int(vessels.of[one[k]]), int(vessels.of[other[k]])
        # A vessel of which there is more than slivers is one by itself.
        if not vessels.whole.issuperset(ends) and (slivers is None or slivers[vessels.boxes[ends[0]]].all()):
            vessels.unite(int(one[k]), int(other[k]))


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


def _pairs(claims: Claims) -> Links:
    """Boxes a of later tiles, b of earlier ones, that may be one vessel, and their IoU; sorted."""
    bounds = envelopes(to_corners(claims.xywhr))
    pairs = overlapping_pairs(bounds, bounds)
    a, b = pairs[claims.tile[pairs[:, 0]] > claims.tile[pairs[:, 1]]].T
    iou = best_iou(claims, a, b)
    near = iou >= LEAST_IOU
    return a[near], b[near], iou[near]


def best_iou(claims: Claims, a: Indices, b: Indices) -> Floats:
    """IoU (m,) of the boxes a[i] and b[i], of two tiles; of what both tiles see of them where one is cut and that fits.

    Where one is cut, what is left of them on the ground that both tiles see may fit better. It need not: of two boxes
    close to an edge, one a px further out, less is left to share.
    """
    iou = paired_iou(to_corners(claims.xywhr[a]), to_corners(claims.xywhr[b]))
    common = common_ground(claims.window[a], claims.window[b])
    cut = np.flatnonzero((claims.cut[a] | claims.cut[b]) & (common[:, :2] < common[:, 2:]).all(1))
    left = paired_iou(_seen_in(claims.xywhr[a[cut]], common[cut]), _seen_in(claims.xywhr[b[cut]], common[cut]))
    iou[cut] = np.maximum(iou[cut], left)
    return iou


def _seen_in(boxes: Floats, windows: Ints) -> Floats:
    """Corners (m, 4, 2) of the boxes along the same axes round what shows of boxes (m, 5) in windows (m, 4)."""
    corners = to_corners(boxes)
    bounds = envelopes(corners)
    over = np.flatnonzero((bounds[:, :2] < windows[:, :2]).any(1) | (bounds[:, 2:] > windows[:, 2:]).any(1))
    corners[over] = to_corners(round_visible(boxes[over], windows[over].astype(np.float64)))
    return corners


def fit_as_parts(claims: Claims, a: Indices, b: Indices) -> Floats:
    """Share (m,) of the area of cut boxes a that lies on boxes b of other tiles, grown; 0 where a is no part of b."""
    small, grown = to_corners(claims.xywhr[a]), claims.xywhr[b]
    grown[:, 2:4] += 2 * BAND_PX
    share = paired_intersection(small, to_corners(grown)) / np.maximum(areas(small), 1e-9)
    own = areas(small) <= areas(to_corners(claims.xywhr[b]))
    sliver = own & (np.maximum(_depths(claims, a, a), _depths(claims, b, a)) <= BAND_PX).any(1)
    return np.where((share >= PART_SHARE) & (sliver | ~claims.cut[b]), share, 0.0)


def _depths(claims: Claims, boxes: Indices, at: Indices) -> Floats:
    """How far boxes (m,) reach, from each side (m, 4), into the tiles that others `at` (m,) are of."""
    bounds, window = envelopes(to_corners(claims.xywhr[boxes])), claims.window[at]
    return np.concatenate([bounds[:, 2:] - window[:, :2], window[:, 2:] - bounds[:, :2]], 1)


def _parts(claims: Claims) -> tuple[Links, Links]:
    """Cut boxes a that lie on boxes b of other tiles, and with which share: on whole boxes, on cut ones."""
    grown = claims.xywhr.copy()
    grown[:, 2:4] += 2 * BAND_PX
    cut = np.flatnonzero(claims.cut)
    pairs = overlapping_pairs(envelopes(to_corners(claims.xywhr[cut])), envelopes(to_corners(grown)))
    a, b = cut[pairs[:, 0]], pairs[:, 1]
    apart = claims.tile[a] != claims.tile[b]
    a, b = a[apart], b[apart]
    share = fit_as_parts(claims, a, b)
    on_whole, on_cut = (share > 0) & ~claims.cut[b], (share > 0) & claims.cut[b]
    return (a[on_whole], b[on_whole], share[on_whole]), (a[on_cut], b[on_cut], share[on_cut])
