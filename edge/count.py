"""Detections -> counts by kind, and the interval that goes with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.detections import Detections, Kind

if TYPE_CHECKING:
    from edge.geometry import Floats

LEVEL = 0.90
REACH = 1.6449
"""Standard deviations to either side that hold `LEVEL` of a normal."""
EXACT_UP_TO = 2000
"""Above this many candidates the sum of independent draws is taken as normal (its error is far below one vessel)."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many vessels of each kind, and between which numbers the truth is likely to lie."""

    tanker: int
    other: int
    unknown: int
    tanker_interval: tuple[int, int]
    vessel_interval: tuple[int, int]

    @property
    def vessel(self) -> int:
        """All kinds together."""
        return self.tanker + self.other + self.unknown


def interval(beliefs: Floats, counted: int) -> tuple[int, int]:
    """Central interval of the number of true vessels among candidates, widened where needed to hold the count.

    Each candidate is an independent draw with its score (n,) as probability, so the sum is Poisson-binomial. The scores
    are not calibrated yet and vessels without any candidate are left out: read it as the spread due to near calls.
    """
    tail = (1 - LEVEL) / 2
    if len(beliefs) == 0:
        return (counted, counted)
    if len(beliefs) > EXACT_UP_TO:
        mean, spread = float(beliefs.sum()), float(np.sqrt((beliefs * (1 - beliefs)).sum()))
        # The normal's tails go below no vessel at all, and above all of the candidates.
        low, high = max(0, int(np.floor(mean - REACH * spread))), min(len(beliefs), int(np.ceil(mean + REACH * spread)))
        return (min(counted, low), max(counted, high))
    mass = np.ones(1)
    for p in beliefs:
        mass = np.append(mass * (1 - p), 0.0) + np.append(0.0, mass * p)
    below = np.cumsum(mass)
    low, high = int(np.searchsorted(below, tail)), int(np.searchsorted(below, 1 - tail))
    return (min(counted, low), max(counted, min(high, len(beliefs))))


def count(candidates: Detections, threshold: float) -> Count:
    """Count the candidates whose score reaches the threshold; the interval sees the others too."""
    found = candidates[candidates.score >= threshold]
    by_kind = {kind: int((found.kind == kind).sum()) for kind in Kind}
    told = np.nan_to_num(candidates.kind_score, nan=0.0)
    return Count(
        by_kind[Kind.TANKER],
        by_kind[Kind.OTHER],
        by_kind[Kind.UNKNOWN],
        interval(candidates.score * told, by_kind[Kind.TANKER]),
        interval(candidates.score, len(found)),
    )
