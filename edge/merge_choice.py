"""The one box that stays of each vessel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.detections import Detections
from edge.geometry import areas, to_corners
from edge.merge_offers import BAND_PX
from edge.sorting import order_of, order_of_keys

if TYPE_CHECKING:
    from edge.geometry import Floats
    from edge.merge_offers import Indices, Offers


def one_each(offers: Offers, vessel: Indices) -> Detections:
    """One box for each vessel (n,) that a tile owns: the best of the whole ones, or all parts as one; from the top."""
    seen_once = np.bincount(vessel, minlength=len(vessel)).take(vessel) == 1
    alone = np.flatnonzero(seen_once & offers.owned)
    several = np.flatnonzero(~seen_once)
    members = several[order_of_keys(vessel[several])]  # stable: by tile in each vessel
    starts = np.flatnonzero(np.diff(vessel[members], prepend=-1))
    best = members[_best(offers, members, starts)]
    owned = np.logical_or.reduceat(offers.owned[members], starts) if len(starts) else np.empty(0, np.bool_)
    split = np.flatnonzero(owned & offers.cut[best])
    ends = np.append(starts, len(members))
    joined = {int(best[k]): box for k in split if (box := _joined(offers, members[ends[k] : ends[k + 1]])) is not None}
    return _picked(offers, np.concatenate([alone, best[owned]]), joined)


def _best(offers: Offers, members: Indices, starts: Indices) -> Indices:
    """Place of the best box among the members of each vessel, who begin at `starts`.

    Whole before cut, owned before not; then the better score, the tile in whose core it lies, the plan's order.
    """
    if len(starts) == 0:
        return starts
    number = np.diff(starts, append=len(members))
    rank = 2.0 * offers.cut[members] + ~offers.owned[members]
    left = np.ones(len(members), np.bool_)
    for column in (rank, -offers.rows.score[members], 1.0 * ~offers.inside[members]):
        worth = np.where(left, column, np.inf)
        left &= worth == np.repeat(np.minimum.reduceat(worth, starts), number)
    place = np.where(left, np.arange(len(members)), len(members))
    return np.asarray(np.minimum.reduceat(place, starts))


def _joined(offers: Offers, parts: Indices) -> Floats | None:
    """One box (5,) round the parts of a vessel, at the angle of the largest."""
    boxes = offers.xywhr(parts)
    corners = to_corners(boxes)
    largest = boxes[np.argmax(areas(corners))]
    joined = _round_all(corners.reshape(-1, 2), largest[4])
    # No larger than by what tiles differ anyway: it was whole, and only close to the edge.
    return largest if (joined[2:4] <= largest[2:4] + 2 * BAND_PX).all() else joined


def _round_all(points: Floats, angle: float) -> Floats:
    """The smallest box (5,) at an angle that holds the points (n, 2)."""
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = points @ axes
    low, high = turned.min(0), turned.max(0)
    return np.array([*(axes @ ((low + high) / 2)), *(high - low), angle])


def _picked(offers: Offers, chosen: Indices, joined: dict[int, Floats]) -> Detections:
    """The chosen boxes, some of them replaced, ordered by centre y, then x, then score."""
    boxes, rows = offers.xywhr(chosen), offers.rows
    if joined:
        places = np.flatnonzero(np.isin(chosen, list(joined)))
        boxes[places] = [joined[int(chosen[k])] for k in places]
    order = order_of(boxes[:, 1], boxes[:, 0], rows.score[chosen])
    chosen = chosen[order]
    return Detections.of(boxes[order], rows.score[chosen], rows.kind[chosen], rows.kind_score[chosen])
