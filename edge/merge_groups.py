"""Which boxes are one vessel: at once where there is nothing to decide, by edge.merge_rules where there is.

Two boxes of different tiles are linked where their IoU is LEAST_IOU or more. Why the short way gives the same answer:

Before they look at parts, the rules leave linked boxes of two vessels apart for a single reason, that one tile has seen
both vessels. In a group of linked boxes of which no two are of one tile there is no such reason: pairing goes on until
no linked boxes are apart, and the group is one vessel. Which links hold it together, and how well, does not matter.
Then a part joins the vessel that it lies on, unless both have been seen whole. An undisputed group with a whole box is
a vessel seen whole; between two of those parts do nothing. What remains are disputed groups, groups that no tile has
seen whole, and groups that a part connects with one of these: they go through the rules, and only they. The rules look
at one pair of vessels at a time, in an order that does not depend on others, so without the rest they decide the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.merge_bounds import judge
from edge.merge_offers import BAND_PX
from edge.merge_rules import LEAST_IOU, best_iou, fit_as_parts, vessels_by_rule
from edge.pairs import pairs_of_groups
from edge.sorting import order_of_keys

if TYPE_CHECKING:
    from edge.merge_offers import Flags, Indices, Offers


def components(label: Indices, a: Indices, b: Indices) -> Indices:
    """Labels (n,) of nodes that links a[k] - b[k] connect, going on from `label` (n,): the least node of each.

    All labels lead straight to the least node before and after. In each round each end but the lesser of a link hooks
    on to a lesser one, so there are few rounds.
    """
    label = label.copy()
    while len(a):
        one, other = label.take(a), label.take(b)
        apart = np.flatnonzero(one != other)
        a, b, one, other = a[apart], b[apart], one[apart], other[apart]
        np.minimum.at(label, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(further := label.take(label), label):
            label = further
    return label


def vessel_of(offers: Offers) -> Indices:
    """Number (n,) of the vessel that each box is of."""
    i, j = _candidates(offers)
    label = _linked(offers, i, j)
    open_ = _open(offers, label, i, j)
    label[open_] = open_[vessels_by_rule(offers.claims(open_))]
    return label


def _candidates(offers: Offers) -> tuple[Indices, Indices]:
    """Pairs of boxes of two tiles that may overlap, or one of which may be a part of the other one."""
    bounds = offers.bounds.copy()
    slack = 1e-9 * (1 + np.abs(bounds).max(initial=0.0))
    by = np.where(offers.cut, np.sqrt(2) * BAND_PX, 0.0) + slack
    bounds[:2] -= by
    bounds[2:] += by
    return pairs_of_groups(bounds, offers.tile, np.arange(len(offers)))


def _linked(offers: Offers, i: Indices, j: Indices) -> Indices:
    """Label (n,) of the group of linked boxes that each box is in."""
    sure, open_ = judge(offers, i, j, LEAST_IOU)
    label = components(np.arange(len(offers)), i[sure], j[sure])
    a, b = i[open_], j[open_]
    apart = label[a] != label[b]  # others add nothing
    a, b = a[apart], b[apart]
    boxes, place = np.unique(np.concatenate([a, b]), return_inverse=True)
    iou = best_iou(offers.claims(boxes), place[: len(a)], place[len(a) :])
    near = iou >= LEAST_IOU
    return components(label, a[near], b[near])


def _open(offers: Offers, label: Indices, i: Indices, j: Indices) -> Indices:
    """Boxes, rising, of groups for which the rules have something to decide."""
    members = np.flatnonzero(np.bincount(label, minlength=len(label)).take(label) > 1)
    ranked = members[order_of_keys(label[members])]  # stable: by tile in each group
    twice = (np.diff(label[ranked]) == 0) & (np.diff(offers.tile[ranked]) == 0)
    disputed = np.zeros(len(label), np.bool_)
    disputed[label[ranked[1:][twice]]] = True
    loose = np.ones(len(label), np.bool_)
    loose[label[~offers.cut]] = False  # seen whole
    loose |= disputed
    part, other = _parts(offers, label, loose, i, j)
    final = components(label, label[part], label[other])
    open_ = np.zeros(len(label), np.bool_)
    open_[final[np.flatnonzero(disputed)]] = True
    open_[final[part]] = True
    return np.flatnonzero(open_[final])


def _parts(offers: Offers, label: Indices, loose: Flags, i: Indices, j: Indices) -> tuple[Indices, Indices]:
    """Cut boxes, and the boxes of other groups that they are parts of, unless this could change nothing."""
    cut = offers.cut
    one, other = np.concatenate([i, j]), np.concatenate([j, i])
    may = np.flatnonzero(cut[one] & (label[one] != label[other]))
    one, other = one[may], other[may]
    # A whole box's vessel is whole, whatever becomes of it; a cut one's need not be.
    may = np.flatnonzero(loose[label[one]] | (loose[label[other]] & cut[other]))
    part, other = one[may], other[may]
    boxes, place = np.unique(np.concatenate([part, other]), return_inverse=True)
    near = fit_as_parts(offers.claims(boxes), place[: len(part)], place[len(part) :]) > 0
    return part[near], other[near]
