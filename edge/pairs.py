"""Which upright rectangles overlap: a sweep along rows of the plane, all rows at once.

The plane is cut into rows about as high as the rectangles. A rectangle has an entry in each row that it touches, and
the entries are sorted by row and left edge: those that begin where another one lies are a run, found by bisection. Of
the rows that two rectangles share only the first reports them. Rectangles far higher than the rest are swept in higher
rows of their own. So time and memory grow with the rectangles and the pairs found, not with the square of their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.sorting import order_of_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Pairs = tuple[Indices, Indices]

_ROW_SHARE = 2.0
"""Height of a row, in mean heights: higher rows have fewer entries, but more that share nothing else."""
_MOST_ROWS = 32
"""Rectangles that touch more rows are swept in higher ones: one may be as high as the scene."""
_STEPS = 16
"""Along a row left edges are told apart by at least this share of the mean width ..."""
_CELLS = 2**32
"""... and better where that leaves no more rows times steps than this."""
_MOST_CELLS = 2**30
"""Rows, or steps of a row, at the most."""
_BLOCK = 2**16
"""Candidates that are looked at together: what they need stays in the cache."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """How the plane is cut: into rows, and each row into steps from left to right."""

    left: float
    top: float
    height: float
    step: float
    steps: int
    """In a row."""

    @classmethod
    def over(cls, *sets: Floats) -> _Rows:
        """Rows that suit the larger of sets of rectangles (4, n), none of them empty."""
        left, top = (min(float(bounds[k].min()) for bounds in sets) for k in (0, 1))
        right, bottom = (max(float(bounds[k].max()) for bounds in sets) for k in (2, 3))
        width, height = (max(float((b[k + 2] - b[k]).mean()) for b in sets) for k in (0, 1))
        height = max(_ROW_SHARE * height, (bottom - top) / _MOST_CELLS) or 1.0
        finest = (right - left) * ((bottom - top) / height + 1) / _CELLS
        step = max(min(finest, width / _STEPS), (right - left) / _MOST_CELLS) or 1.0
        return cls(left, top, height, step, int((right - left) / step) + 1)

    def row(self, y: Floats) -> Indices:
        """Row in which each y (n,) lies."""
        return np.asarray((y - self.top) / self.height, np.intp)

    def place(self, x: Floats) -> Indices:
        """Step in which each x (n,) lies: never falls where x rises."""
        return np.asarray((x - self.left) / self.step, np.intp)

    def tall(self, bounds: Floats) -> NDArray[np.bool_]:
        """Which rectangles touch too many rows."""
        return np.asarray(bounds[3] - bounds[1] > _MOST_ROWS * self.height)


@dataclass(frozen=True, slots=True)
class _Entries:
    """Some rectangles by row and left edge; each column has shape (entries,)."""

    box: Indices
    begins: NDArray[np.bool_]
    """This row is the first that the rectangle touches."""
    key: Indices
    """Row and left edge as one number, rising."""
    reach: Indices
    """The same of the right edge."""

    @classmethod
    def of(cls, bounds: Floats, chosen: Indices, rows: _Rows) -> _Entries:
        """Entries of the chosen ones of rectangles (4, n)."""
        left, top, right, bottom = (edge.take(chosen) for edge in bounds)
        first = rows.row(top)
        number = rows.row(bottom) - first + 1
        begin = np.cumsum(number) - number
        which = np.repeat(np.arange(len(chosen)), number)
        start = (first - begin).take(which)
        start += np.arange(len(which))
        start *= rows.steps
        key = start + rows.place(left).take(which)
        reach = start + rows.place(right).take(which)
        begins = np.zeros(len(which), np.bool_)
        begins[begin] = True
        order = order_of_keys(key)
        return cls(chosen.take(which.take(order)), begins[order], key.take(order), reach.take(order))


def _runs(one: _Entries, start: Indices, stop: Indices, other: _Entries) -> Iterator[Pairs]:
    """Rectangles of entries k of `one` and start[k] .. stop[k] of `other`, where this is the first row they share."""
    number = np.maximum(stop - start, 0)
    some = np.flatnonzero(number)
    if len(some) == 0:
        return
    number, start = number[some], start[some]
    ends = np.cumsum(number)
    cuts = np.unique(np.append(np.searchsorted(ends, np.arange(0, ends[-1], _BLOCK)), len(ends)))
    for low, high in pairwise(cuts):
        n = number[low:high]
        shift = start[low:high] - (ends[low:high] - n)
        p = np.repeat(some[low:high], n)
        q = np.arange(ends[low] - n[0], ends[high - 1]) + np.repeat(shift, n)
        # Two rectangles that share rows share first the one in which the lower of them begins.
        at_first = one.begins[p] | other.begins[q]
        yield one.box[p[at_first]], other.box[q[at_first]]


def _meet(a: Floats, b: Floats, pairs: Pairs) -> Pairs:
    """Those of the pairs of rectangles (4, n) and (4, k) that overlap."""
    i, j = pairs
    meets = (
        (a[0].take(i) < b[2].take(j))
        & (b[0].take(j) < a[2].take(i))
        & (a[1].take(i) < b[3].take(j))
        & (b[1].take(j) < a[3].take(i))
    )
    return i[meets], j[meets]


def _within(bounds: Floats, chosen: Indices) -> Iterator[Pairs]:
    """Candidates among the chosen ones of rectangles (4, n), each once."""
    if len(chosen) < 2:  # noqa: PLR2004 - one has no other
        return
    rows = _Rows.over(bounds[:, chosen])
    tall = rows.tall(bounds[:, chosen])
    entries = _Entries.of(bounds, chosen[~tall], rows)
    after = np.arange(1, len(entries.key) + 1)
    yield from _runs(entries, after, np.searchsorted(entries.key, entries.reach, side="right"), entries)
    if tall.any():
        yield from _within(bounds, chosen[tall])
        yield from _across(bounds, chosen[~tall], bounds, chosen[tall])


def _across(a: Floats, some: Indices, b: Floats, others: Indices) -> Iterator[Pairs]:
    """Candidates of some of the rectangles a (4, n) and others of b (4, k), each once."""
    if len(some) == 0 or len(others) == 0:
        return
    rows = _Rows.over(a[:, some], b[:, others])
    tall, high = rows.tall(a[:, some]), rows.tall(b[:, others])
    one, other = _Entries.of(a, some[~tall], rows), _Entries.of(b, others[~high], rows)
    start = np.searchsorted(other.key, one.key, side="left")
    yield from _runs(one, start, np.searchsorted(other.key, one.reach, side="right"), other)
    start = np.searchsorted(one.key, other.key, side="right")
    for j, i in _runs(other, start, np.searchsorted(one.key, other.reach, side="right"), one):
        yield i, j
    if tall.any():
        yield from _across(a, some[tall], b, others)
    if high.any():
        yield from _across(a, some[~tall], b, others[high])


def _joined(pairs: list[Pairs]) -> Pairs:
    """Blocks of pairs as one."""
    none = np.empty(0, np.intp)
    return np.concatenate([none, *(i for i, _ in pairs)]), np.concatenate([none, *(j for _, j in pairs)])


def overlapping_pairs(first: Floats, second: Floats) -> Indices:
    """Index pairs (m, 2), sorted, of the upright rectangles (n, 4) and (k, 4) px that overlap; edges do not count."""
    a, b = np.ascontiguousarray(first.T), np.ascontiguousarray(second.T)
    found = _across(a, np.arange(len(first)), b, np.arange(len(second)))
    i, j = _joined([_meet(a, b, pairs) for pairs in found])
    return np.stack([i, j], 1)[np.argsort(i * len(second) + j)]


def pairs_of_groups(bounds: Floats, group: Indices, chosen: Indices) -> Pairs:
    """Pairs (m,), (m,) of the chosen ones of rectangles (4, n) that overlap and are of different groups (n,).

    Each pair comes once, in no order, neither of the pairs nor within one.
    """
    found = []
    for i, j in _within(bounds, chosen):
        apart = group.take(i) != group.take(j)
        found.append(_meet(bounds, bounds, (i[apart], j[apart])))
    return _joined(found)
