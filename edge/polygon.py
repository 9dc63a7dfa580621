"""Points in polygons, by the even-odd rule: a pure function of coordinates, the same for points and for grids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.geometry import Floats

_CHUNK = 2**21
"""Points times edges that are looked at together: bounds memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """The edges of one polygon, holes included, each from its upper to its lower end; level ones are left out.

    An edge owns the rows y0 <= y < y1, and a point on an edge is right of it: polygons that share an edge share no
    point.
    """

    x0: Floats
    """Upper end, shape (edges,)."""
    y0: Floats
    """Upper end, shape (edges,)."""
    x1: Floats
    """Lower end, shape (edges,)."""
    y1: Floats
    """Lower end, shape (edges,), greater than y0."""

    @classmethod
    def of(cls, rings: list[Floats]) -> Polygon:
        """From rings (n, 2), open or closed: the outline and its holes, in any order."""
        a = np.concatenate(rings)
        b = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
        falls = a[:, 1:] <= b[:, 1:]
        upper, lower = np.where(falls, a, b), np.where(falls, b, a)
        steep = lower[:, 1] > upper[:, 1]
        return cls(upper[steep, 0], upper[steep, 1], lower[steep, 0], lower[steep, 1])

    def contains(self, x: Floats, y: Floats) -> NDArray[np.bool_]:
        """Which of the points (n,) lie inside."""
        inside = np.zeros(len(x), np.bool_)
        step = max(1, _CHUNK // max(1, len(self.x0)))
        every = np.arange(len(self.x0))
        for i in range(0, len(x), step):
            px, py = x[i : i + step, None], y[i : i + step, None]
            spans = (self.y0 <= py) & (py < self.y1)
            inside[i : i + step] = (spans & (self._crossing(every, py) <= px)).sum(1) % 2 == 1
        return inside

    def mask(self, x: Floats, y: Floats) -> NDArray[np.bool_]:
        """Which points of the grid of columns x (w,) and rows y (h,), both rising, lie inside; shape (h, w)."""
        first, last = np.searchsorted(y, self.y0, "left"), np.searchsorted(y, self.y1, "left")
        counts = last - first
        edge = np.repeat(np.arange(len(counts)), counts)
        row = np.arange(len(edge)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
        flips = np.zeros((len(y), len(x) + 1), np.int32)
        np.add.at(flips, (row, np.searchsorted(x, self._crossing(edge, y[row]), "left")), 1)
        return np.asarray(np.cumsum(flips[:, :-1], axis=1) % 2 == 1)

    def _crossing(self, edge: NDArray[np.intp], y: Floats) -> Floats:
        """Where the edges cross the rows y; of meaning only where they do."""
        y0, x0 = self.y0[edge], self.x0[edge]
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(x0 + (y - y0) / (self.y1[edge] - y0) * (self.x1[edge] - x0))
