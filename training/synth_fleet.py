"""The fleet: which vessels there are, how long and how wide they are, and the outline of their hulls.

Proportions follow public figures, rounded. Tankers by class, as MAN's "Propulsion Trends in Tankers" divides them: a
VLCC of about 333 x 60 m, a Suezmax of 274 x 48, an Aframax ("crude") of 245 x 42 to 44, an MR product tanker of 183 x
32. Many hulls are as wide as a lock lets them be: the Panama Canal Authority's limits for the old locks are 294.1 x
32.3 m, those of the St. Lawrence Seaway 225.5 x 23.8 m, and CEMT class Va, the great Rhine ship, is 110 x 11.4 m. Gas:
LNG with spheres 290 x 49, with membranes 295 x 46, Q-Flex 315 x 50 and Q-Max 345 x 53.8 (Qatar's), LPG from 90 m with
pressure tanks to 230 x 36.6, the "very large gas carrier". Others: a Capesize 292 x 45, a Handysize bulker 180 x 30, a
car carrier 200 x 32 to 38, a destroyer 155 x 20, a harbour tug 30 x 11, North Sea pontoons 300 x 90 and 400 x 100 feet.

A tank barge counts as a tanker: it has no engine, but for MARPOL a ship is a vessel "of any type whatsoever" and an oil
tanker one that is built to carry oil in bulk, and its deck is a small tanker's: calling it "other" would teach that a
manifold and pipes mean nothing. Sets that label barges apart may disagree, so it is kept rare. A barge that carries
pipes as goods is no tanker, however much its deck looks like a pipe rack from afar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.detections import Kind
from training.synth_chance import maybe

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
    freeboard: tuple[float, float]
    """Height of the deck over the water as a share of the beam: laden, and in ballast."""
    entrance: tuple[float, float]
    """Share of the length that the narrowing bow takes: range."""
    bow: float
    """Shape of the bow: 1 a straight wedge, 2 an ellipse, more: blunter."""
    transom: tuple[float, float]
    """Width of the stern as a share of the beam: range."""
    weight: float = 1.0
    """How often it is met among its kind."""
    beams_m: tuple[float, ...] = ()
    """Widths that locks or habit give to many of them, metres."""


FLEET: dict[str, Build] = {
    "vlcc": Build(Kind.TANKER, (300, 340), (5.4, 5.7), (0.13, 0.34), (0.07, 0.12), 2.3, (0.45, 0.75), 1.0),
    "suezmax": Build(Kind.TANKER, (262, 288), (5.5, 6.0), (0.13, 0.32), (0.08, 0.12), 2.25, (0.45, 0.8), 0.8),
    "shuttle": Build(Kind.TANKER, (235, 285), (5.5, 6.2), (0.14, 0.32), (0.08, 0.13), 2.2, (0.45, 0.8), 0.4),
    "crude": Build(Kind.TANKER, (225, 262), (5.4, 5.9), (0.14, 0.32), (0.08, 0.13), 2.2, (0.45, 0.8), 1.0),
    "product": Build(Kind.TANKER, (140, 230), (5.5, 7.1), (0.16, 0.36), (0.09, 0.15), 2.1, (0.5, 0.85), 2.5, (32.2,)),
    "chemical": Build(Kind.TANKER, (80, 185), (5.6, 6.6), (0.14, 0.34), (0.1, 0.17), 2.0, (0.55, 0.9), 2.0),
    "bunker": Build(Kind.TANKER, (40, 100), (4.8, 6.3), (0.1, 0.28), (0.12, 0.2), 1.9, (0.6, 0.95), 1.0),
    "lng": Build(Kind.TANKER, (265, 300), (5.5, 6.2), (0.3, 0.34), (0.12, 0.18), 1.8, (0.5, 0.8), 0.4),
    "membrane": Build(Kind.TANKER, (265, 345), (5.8, 6.45), (0.32, 0.38), (0.12, 0.18), 1.8, (0.5, 0.8), 0.4),
    "lpg": Build(Kind.TANKER, (90, 232), (5.3, 6.5), (0.22, 0.36), (0.1, 0.18), 1.9, (0.5, 0.85), 0.8, (36.6,)),
    "tank_barge": Build(Kind.TANKER, (45, 160), (3.4, 6.0), (0.06, 0.24), (0.02, 0.08), 2.5, (0.9, 1.0), 0.35),
    "bulker": Build(
        Kind.OTHER, (120, 300), (5.8, 7.1), (0.15, 0.36), (0.08, 0.14), 2.1, (0.5, 0.85), 3.0, (32.2, 45.0)
    ),
    "laker": Build(Kind.OTHER, (180, 225), (8.8, 9.6), (0.16, 0.34), (0.03, 0.06), 2.3, (0.8, 1.0), 0.35, (23.7,)),
    "container": Build(Kind.OTHER, (120, 340), (6.0, 9.2), (0.24, 0.36), (0.16, 0.26), 1.55, (0.75, 1.0), 2.0, (32.2,)),
    "cargo": Build(Kind.OTHER, (65, 190), (5.6, 7.0), (0.14, 0.34), (0.12, 0.2), 1.8, (0.65, 0.95), 2.0),
    "reefer": Build(Kind.OTHER, (100, 170), (5.8, 7.0), (0.22, 0.36), (0.16, 0.24), 1.7, (0.65, 0.9), 0.6),
    "coaster": Build(
        Kind.OTHER, (55, 135), (6.2, 10.5), (0.06, 0.24), (0.07, 0.14), 1.9, (0.6, 0.95), 1.5, (9.5, 11.4)
    ),
    "roro": Build(Kind.OTHER, (110, 240), (5.8, 7.4), (0.62, 0.72), (0.1, 0.2), 1.9, (0.85, 1.0), 0.7),
    "car_carrier": Build(Kind.OTHER, (165, 232), (5.3, 7.1), (0.78, 0.9), (0.08, 0.15), 2.1, (0.88, 1.0), 0.7, (32.2,)),
    "passenger": Build(Kind.OTHER, (40, 330), (5.5, 8.8), (0.52, 0.58), (0.18, 0.28), 1.5, (0.75, 1.0), 1.0),
    "naval": Build(Kind.OTHER, (50, 180), (7.4, 9.8), (0.27, 0.33), (0.35, 0.5), 1.25, (0.6, 0.9), 1.2),
    "supply": Build(Kind.OTHER, (50, 95), (3.9, 4.8), (0.14, 0.3), (0.18, 0.26), 1.8, (0.85, 1.0), 0.8),
    "tug": Build(Kind.OTHER, (18, 38), (2.4, 3.3), (0.18, 0.22), (0.25, 0.4), 2.0, (0.7, 0.95), 1.0),
    "barge": Build(Kind.OTHER, (30, 110), (3.0, 5.5), (0.06, 0.26), (0.02, 0.08), 2.5, (0.9, 1.0), 0.8),
    "pipe_barge": Build(
        Kind.OTHER, (50, 125), (3.0, 4.2), (0.06, 0.18), (0.02, 0.08), 2.5, (0.9, 1.0), 0.5, (27.4, 30.5)
    ),
    "fishing": Build(Kind.OTHER, (10, 60), (3.0, 4.3), (0.25, 0.35), (0.3, 0.45), 1.6, (0.7, 1.0), 1.0),
    "yacht": Build(Kind.OTHER, (10, 60), (3.3, 5.0), (0.27, 0.33), (0.45, 0.65), 1.5, (0.75, 0.95), 0.8),
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
    laden: float = 0.5
    """0 in ballast, riding high, to 1 down to its marks."""

    @property
    def build(self) -> Build:
        """What is common to its type."""
        return FLEET[self.name]

    @property
    def deck_m(self) -> float:
        """Height of the deck over the water, metres."""
        full, light = self.build.freeboard
        return max((light + (full - light) * self.laden) * self.beam_m, 0.8)


def pick_type(rng: np.random.Generator, kind: Kind) -> str:
    """Draw a type of vessel of a kind, by weight."""
    names = [name for name, build in FLEET.items() if build.kind == kind]
    weights = np.array([FLEET[name].weight for name in names])
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


def launch(rng: np.random.Generator, name: str, length_m: float | None = None) -> Vessel:
    """A vessel of a type, of the given or a drawn length, rather laden or in ballast than in between.

    Its beam follows from the type's proportions, and is often one of the type's usual beams.

    Raises:
        ValueError: there is no such type, or the length is not positive.
    """
    if name not in FLEET or (length_m is not None and length_m <= 0):
        msg = f"no vessel of type {name!r} and length {length_m}: types are {', '.join(FLEET)}"
        raise ValueError(msg)
    build = FLEET[name]
    length = float(rng.uniform(*build.length_m)) if length_m is None else float(length_m)
    beam = length / float(rng.uniform(*build.slender))
    usual = [b for b in build.beams_m if build.slender[0] <= length / b <= build.slender[1]]
    if usual and maybe(rng, 0.5):
        beam = usual[int(rng.integers(len(usual)))]
    return Vessel(name, length, beam, float(rng.beta(0.5, 0.5)))


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
