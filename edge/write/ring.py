"""The area of a ring of a few points, in plain numbers: an archive has a million, too small for arrays to pay."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def signed_area(ring: Sequence[Sequence[float]]) -> float:
    """Area inside a simple ring (n, 2), by the shoelace formula; negative where it runs clockwise, with y upwards."""
    x0, y0 = ring[0]
    steps = [(x - x0, y - y0) for x, y in ring]
    return sum(x * w - y * v for (x, y), (v, w) in pairwise(steps)) / 2
