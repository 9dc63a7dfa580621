"""What a length says of a tanker, and how far lengths, beams and headings may be off.

Classes go by deadweight; an image shows lengths. The two are tied only loosely: lengths are typical, classes overlap,
and a gas carrier carries less than an oil tanker of its length. Sources:

- Deadweight: H. O. Kristensen, "Determination of Regression Formulas for Main Dimensions of Tankers and Bulk Carriers
  based on IHS Fairplay data", Technical University of Denmark, 2012: below 10,000 t small, then Handysize, from 25,000
  Handymax (here MR), 55,000 Panamax, 80,000 Aframax, 120,000 Suezmax. The market's scale (J. Evangelista, "Scaling the
  Tanker Market", Surveyor, ABS, 2002) has Suezmax up to 200,000, VLCC to 320,000 and ULCC to 550,000.
- The AFRA scale of the London Tanker Brokers' Panel, as the U.S. EIA tells it ("Oil tanker sizes range from general
  purpose to ultra-large crude carriers on AFRA scale", 2014), cuts elsewhere: GP 10,000 to 24,999 t, MR to 44,999, LR1
  to 79,999, LR2 to 159,999, VLCC to 319,999, ULCC to 549,999. LR1 is about a Panamax; LR2 spans Aframax and Suezmax.
- Lengths over all, of ships as their yards and owners give them: 8,000 t 119 m; 11,300 t 132 m; 18,500 t 150 m;
  49,200 t 183 m; 114,800 t 250 m; 310,000 t 333 m; TI Europe, 441,561 t, 380 m. Typical: Panamax 228.6 m, Aframax 245
  to 253 m, Suezmax 270 to 285 m (among others T. Notteboom et al., "Port Economics, Management and Policy", tanker
  size). The longest tanker ever, Knock Nevis, had 458 m. The bounds below lie between these, where few ships do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.geometry import Floats
    from edge.model_card import ErrorsCard, SizeError


@dataclass(frozen=True, slots=True)
class SizeClass:
    """A class of oil tankers: typical, its neighbours overlap with it."""

    name: str
    """As the trade calls it."""
    length_m: tuple[float, float]
    """Length over all, metres: from the first on, below the second."""
    deadweight_t: tuple[int, int]
    """What such a tanker can carry, tonnes."""


SIZE_CLASSES = (
    SizeClass("Coastal", (0, 125), (0, 10_000)),
    SizeClass("Handysize", (125, 165), (10_000, 25_000)),
    SizeClass("MR", (165, 200), (25_000, 55_000)),
    SizeClass("Panamax", (200, 236), (55_000, 80_000)),
    SizeClass("Aframax", (236, 260), (80_000, 120_000)),
    SizeClass("Suezmax", (260, 300), (120_000, 200_000)),
    SizeClass("VLCC", (300, 350), (200_000, 320_000)),
    SizeClass("ULCC", (350, 460), (320_000, 550_000)),
)
"""Shortest first, without a gap; what is longer was never built."""


def size_classes(length_m: float, error_m: float) -> tuple[SizeClass, ...]:
    """All classes that a tanker of `length_m` give or take `error_m` metres may be of, shortest first.

    Exactly one where the error is 0; none where even the shortest length is beyond any tanker's.
    """
    low, high = length_m - error_m, length_m + error_m
    return tuple(c for c in SIZE_CLASSES if low < c.length_m[1] and high >= c.length_m[0])


def deadweight_range(classes: Sequence[SizeClass]) -> tuple[int, int]:
    """Least and most that tankers of these classes can carry, tonnes; there must be at least one class."""
    return min(c.deadweight_t[0] for c in classes), max(c.deadweight_t[1] for c in classes)


def size_error(size_px: Floats, error: SizeError) -> Floats:
    """Half-widths (n,) px of the error of lengths or beams (n,), all in px of the working frame.

    Two causes that do not know of each other add up as squares: where an edge is seen, and what the network takes for
    the end of a hull, which grows with the vessel.
    """
    return np.asarray(np.hypot(error.px, error.share * size_px))


def heading_error(length_px: Floats, errors: ErrorsCard) -> Floats:
    """Half-widths (n,) degrees of the error of headings of vessels of lengths (n,) px of the working frame.

    Ends that are off sideways turn a short axis further than a long one. Beyond 90 degrees no heading, which is told
    without bow or stern, can be off.
    """
    turn = np.rad2deg(np.arctan2(errors.heading_px, length_px))
    return np.asarray(np.minimum(np.hypot(turn, errors.heading_floor_deg), 90.0))
