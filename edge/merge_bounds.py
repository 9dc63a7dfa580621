"""How much two tiles' boxes overlap at the least and at the most, at a tenth of the price of the exact area.

In the axes of the one box, the other one holds an upright box of its own proportions and lies in another. What these
share with the one bounds what the two share. For boxes at nearly the same angle, as two tiles' boxes of a vessel are,
the bounds are close.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.merge_offers import common_ground

if TYPE_CHECKING:
    from edge.geometry import Floats
    from edge.merge_offers import Flags, Indices, Offers

_CHUNK = 2**13
"""Pairs that are looked at together: what they need stays in the cache."""
_ROUNDING = 1e-6
"""Share of the areas, and px² a px² of the square of the sides, by which the exact area may be off: so narrowly nothing
is decided here."""
_TINY = 1e-200


@dataclass(slots=True)
class _Boxes:
    """One box of each of m pairs; each column has shape (m,)."""

    x: Floats
    y: Floats
    length: Floats
    beam: Floats
    cos: Floats
    sin: Floats

    @classmethod
    def of(cls, offers: Offers, i: Indices) -> _Boxes:
        """The boxes i (m,)."""
        return cls(*(column.take(i) for column in (*offers.boxes[:4], *offers.axis)))

    def at(self, k: Indices) -> _Boxes:
        """Some of them."""
        return _Boxes(self.x[k], self.y[k], self.length[k], self.beam[k], self.cos[k], self.sin[k])

    def put(self, k: Indices, other: _Boxes) -> None:
        """Replace some of them."""
        self.x[k], self.y[k], self.length[k], self.beam[k] = other.x, other.y, other.length, other.beam


def judge(offers: Offers, i: Indices, j: Indices, least: float) -> tuple[Flags, Flags]:
    """Which pairs of boxes i and j (m,) overlap, whole or cut, by an IoU of `least`, and of which it is not clear."""
    sure, open_ = np.zeros(len(i), np.bool_), np.zeros(len(i), np.bool_)
    for start in range(0, len(i), _CHUNK):
        part = slice(start, start + _CHUNK)
        sure[part], open_[part] = _judge(offers, i[part], j[part], least)
    return sure, open_


def _judge(offers: Offers, i: Indices, j: Indices, least: float) -> tuple[Flags, Flags]:
    """`judge` for few pairs."""
    a, b = _Boxes.of(offers, i), _Boxes.of(offers, j)
    sure, may = _decide(a, b, least)
    cut = np.flatnonzero(offers.cut.take(i) | offers.cut.take(j))
    common = common_ground(offers.windows[offers.tile[i[cut]]], offers.windows[offers.tile[j[cut]]])
    shared = (common[:, :2] < common[:, 2:]).all(1)
    cut, ground = cut[shared], common[shared].T.astype(np.float64)
    (a, known), (b, other_known) = _shown(a.at(cut), ground), _shown(b.at(cut), ground)
    left, may_be_left = _decide(a, b, least)
    known &= other_known
    sure[cut] |= left & known
    may[cut] |= may_be_left | ~known
    return sure, may & ~sure


def _decide(a: _Boxes, b: _Boxes, least: float) -> tuple[Flags, Flags]:
    """Which boxes (m,) overlap by an IoU of `least` for sure, and which at all."""
    both = a.length * a.beam + b.length * b.beam
    low, high = _shared(a, b)
    doubt = _ROUNDING * (both + (a.length + a.beam + b.length + b.beam) ** 2)
    # shared / (both - shared) >= least, without a division
    return (1 + least) * low >= least * both + doubt, (1 + least) * high >= least * both - doubt


def _shown(boxes: _Boxes, ground: Floats) -> tuple[_Boxes, Flags]:
    """The boxes along the same axes round what shows on ground (4, m), and for which of them this is known.

    It is where at most one edge of the ground cuts the box. That edge leaves the far side of the box in place and moves
    the near end of each axis to where the farthest corner on that side still shows.
    """
    wide = (np.abs(boxes.cos) * boxes.length + np.abs(boxes.sin) * boxes.beam) / 2
    high = (np.abs(boxes.sin) * boxes.length + np.abs(boxes.cos) * boxes.beam) / 2
    depths = np.stack([boxes.x - ground[0], boxes.y - ground[1], ground[2] - boxes.x, ground[3] - boxes.y])
    over = depths < np.stack([wide, high, wide, high])
    number, side = over.sum(0), over.argmax(0)
    depth = depths[side, np.arange(len(side))]
    upright, sign = side % 2 == 1, np.where(side < 2, -1.0, 1.0)  # noqa: PLR2004 - left and top come first
    along = np.where(upright, boxes.sin, boxes.cos) * sign
    across = np.where(upright, boxes.cos, -boxes.sin) * sign
    half, side_half = boxes.length / 2, boxes.beam / 2
    last = _end(depth + np.abs(across) * side_half, along, half)
    side_last = _end(depth + np.abs(along) * half, across, side_half)
    by, aside = np.copysign((last - half) / 2, -along), np.copysign((side_last - side_half) / 2, -across)
    shown = _Boxes(
        boxes.x + by * boxes.cos - aside * boxes.sin, boxes.y + by * boxes.sin + aside * boxes.cos,
        half + last, side_half + side_last, boxes.cos, boxes.sin,
    )  # fmt: skip
    whole = number == 0
    shown.put(np.flatnonzero(whole), boxes.at(np.flatnonzero(whole)))
    return shown, whole | ((number == 1) & (last > -half) & (side_last > -side_half))


def _end(reach: Floats, lean: Floats, half: Floats) -> Floats:
    """How far from its middle (m,) an axis of half a length still shows, -half to half, by its lean to the edge."""
    return np.clip(reach / np.maximum(np.abs(lean), _TINY), -half, half)


def _shared(a: _Boxes, b: _Boxes) -> tuple[Floats, Floats]:
    """Area (m,) that boxes share at the least, and at the most."""
    dx, dy = b.x - a.x, b.y - a.y
    u, v = np.abs(dx * a.cos + dy * a.sin), np.abs(dy * a.cos - dx * a.sin)
    cos, sin = np.abs(a.cos * b.cos + a.sin * b.sin), np.abs(a.cos * b.sin - a.sin * b.cos)
    round_length, round_beam = b.length * cos + b.beam * sin, b.length * sin + b.beam * cos
    # An upright box of l x w fits into the other one if l cos + w sin and l sin + w cos are no more than its sides.
    scale = np.minimum(b.length / np.maximum(round_length, _TINY), b.beam / np.maximum(round_beam, _TINY))
    low = _overlap(u, a.length, b.length * scale) * _overlap(v, a.beam, b.beam * scale)
    high = _overlap(u, a.length, round_length) * _overlap(v, a.beam, round_beam)
    return low, np.minimum(high, np.minimum(a.length * a.beam, b.length * b.beam))


def _overlap(apart: Floats, one: Floats, other: Floats) -> Floats:
    """What two lengths (m,) share whose middles lie `apart`."""
    return np.maximum(np.minimum(np.minimum(one, other), (one + other) / 2 - apart), 0.0)
