"""The fleet: which vessels there are, how long and how wide they are, and the outline of their hulls.

Proportions follow generally known figures of merchant ships: a VLCC is about 333 x 60 m, a Suezmax 274 x 48, an
Aframax 245 x 42 to 44, an MR product tanker 183 x 32, an LR1 or Panamax bulker 225 x 32.2 (the old Panama lock),
a Capesize 292 x 45, a Handysize 180 x 30, an LNG carrier 290 x 46 to 49 (Q-Max 345 x 54), a Panamax container ship
294 x 32.2, a car carrier 200 x 32, an inland motor vessel 110 x 11.4, a destroyer 155 x 20, a harbour tug 30 x 11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.detections import Kind

if TYPE_CHECKING:
    from edge.geometry import Floats


@dataclass(frozen=True, slots=True)
class Build:
    """A type of vessel."""

    kind: Kind
    """What a counter should say."""
    length_m: tuple[float, float]
    """Shortest and longest, metres over all."""
    slender: tuple[float, float]
    """Length over beam: range."""
    freeboard: float
    """Height of the deck over the water, as a share of the beam."""
    entrance: tuple[float, float]
    """Share of the length that the narrowing bow takes: range."""
    bow: float
    """Shape of the bow: 1 a straight wedge, 2 an ellipse, more: blunter."""
    transom: tuple[float, float]
    """Width of the stern as a share of the beam: range."""
    weight: float = 1.0
    """How often it is met among its kind."""


FLEET: dict[str, Build] = {
    "vlcc": Build(Kind.TANKER, (300, 340), (5.4, 5.7), 0.2, (0.07, 0.12), 2.3, (0.45, 0.75), 1.0),
    "crude": Build(Kind.TANKER, (225, 290), (5.4, 5.9), 0.2, (0.08, 0.13), 2.2, (0.45, 0.8), 1.5),
    "product": Build(Kind.TANKER, (140, 230), (5.5, 7.1), 0.22, (0.09, 0.15), 2.1, (0.5, 0.85), 2.5),
    "chemical": Build(Kind.TANKER, (80, 185), (5.6, 6.6), 0.22, (0.1, 0.17), 2.0, (0.55, 0.9), 2.0),
    "bunker": Build(Kind.TANKER, (40, 100), (4.8, 6.3), 0.18, (0.12, 0.2), 1.9, (0.6, 0.95), 1.0),
    "lng": Build(Kind.TANKER, (265, 340), (5.8, 6.4), 0.32, (0.12, 0.18), 1.8, (0.5, 0.8), 0.6),
    "bulker": Build(Kind.OTHER, (120, 300), (5.8, 7.1), 0.22, (0.08, 0.14), 2.1, (0.5, 0.85), 3.0),
    "container": Build(Kind.OTHER, (120, 340), (6.0, 8.8), 0.3, (0.16, 0.26), 1.55, (0.75, 1.0), 2.0),
    "cargo": Build(Kind.OTHER, (65, 190), (5.6, 7.0), 0.22, (0.12, 0.2), 1.8, (0.65, 0.95), 2.0),
    "coaster": Build(Kind.OTHER, (55, 135), (6.2, 10.5), 0.12, (0.07, 0.14), 1.9, (0.6, 0.95), 1.5),
    "roro": Build(Kind.OTHER, (110, 240), (5.8, 7.4), 0.7, (0.1, 0.2), 1.9, (0.85, 1.0), 1.0),
    "passenger": Build(Kind.OTHER, (40, 330), (5.5, 8.8), 0.55, (0.18, 0.28), 1.5, (0.75, 1.0), 1.0),
    "naval": Build(Kind.OTHER, (50, 180), (7.4, 9.8), 0.3, (0.35, 0.5), 1.25, (0.6, 0.9), 1.2),
    "supply": Build(Kind.OTHER, (50, 95), (3.9, 4.8), 0.22, (0.18, 0.26), 1.8, (0.85, 1.0), 0.8),
    "tug": Build(Kind.OTHER, (18, 38), (2.4, 3.3), 0.2, (0.25, 0.4), 2.0, (0.7, 0.95), 1.0),
    "barge": Build(Kind.OTHER, (30, 110), (3.0, 5.5), 0.18, (0.02, 0.08), 2.5, (0.9, 1.0), 1.0),
    "fishing": Build(Kind.OTHER, (10, 60), (3.0, 4.3), 0.3, (0.3, 0.45), 1.6, (0.7, 1.0), 1.0),
    "yacht": Build(Kind.OTHER, (10, 60), (3.3, 5.0), 0.3, (0.45, 0.65), 1.5, (0.75, 0.95), 0.8),
}


@dataclass(frozen=True, slots=True)
class Vessel:
    """One vessel, before it is drawn."""

    name: str
    """Its type, a key of FLEET."""
    length_m: float
    """Length over all."""
    beam_m: float
    """Greatest width."""

    @property
    def build(self) -> Build:
        """What is common to its type."""
        return FLEET[self.name]

    @property
    def deck_m(self) -> float:
        """Height of the deck over the water, metres; laden or in ballast is not told."""
        return max(self.build.freeboard * self.beam_m, 0.8)


def pick_type(rng: np.random.Generator, kind: Kind) -> str:
    """Draw a type of vessel of a kind, by weight."""
    names = [name for name, build in FLEET.items() if build.kind == kind]
    weights = np.array([FLEET[name].weight for name in names])
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


def launch(rng: np.random.Generator, name: str, length_m: float | None = None) -> Vessel:
    """A vessel of a type, of the given or a drawn length; its beam follows from the type's proportions.

    Raises:
        ValueError: there is no such type, or the length is not positive.
    """
    if name not in FLEET or (length_m is not None and length_m <= 0):
        msg = f"no vessel of type {name!r} and length {length_m}: types are {', '.join(FLEET)}"
        raise ValueError(msg)
    build = FLEET[name]
    length = float(rng.uniform(*build.length_m)) if length_m is None else float(length_m)
    return Vessel(name, length, length / float(rng.uniform(*build.slender)))


def outline(rng: np.random.Generator, vessel: Vessel) -> Floats:
    """The hull at deck level (k, 2) m, x ahead and y to the right of the middle: pointed bow, near-square stern."""
    build, half, beam = vessel.build, vessel.length_m / 2, vessel.beam_m / 2
    entrance = float(rng.uniform(*build.entrance)) * vessel.length_m
    transom = float(rng.uniform(*build.transom))
    run = vessel.length_m * (0.02 + 0.22 * (1 - transom))
    t = np.linspace(0, 1, 12)
    power = max(build.bow + float(rng.uniform(-0.15, 0.15)), 1.05)
    bow_x, bow_y = half - entrance + entrance * t, beam * (1 - t**power) ** (1 / min(power, 2.0))
    stern_x, stern_y = -half + run * t, beam * (transom + (1 - transom) * np.sin(t * np.pi / 2) ** 0.8)
    side = np.concatenate([np.stack([stern_x, stern_y], 1), np.stack([bow_x, bow_y], 1)])
    return np.concatenate([side, side[::-1] * [1, -1]])


def inset(hull: Floats, by_m: float) -> Floats:
    """The outline (k, 2) of the deck inside a rail that is `by_m` wide."""
    extent = np.abs(hull).max(0)
    return np.asarray(hull * np.maximum(1 - by_m / extent, 0.5))
