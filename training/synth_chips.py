"""Chips for training a classifier of kinds: one whole vessel on a small background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.detections import Kind
from training.synth_canvas import Canvas, Colour, Image, Sun
from training.synth_cargo import BOXES
from training.synth_chance import maybe
from training.synth_fleet import FLEET, Vessel, launch, pick_type
from training.synth_parts import WHITE, choose
from training.synth_sensor import degrade
from training.synth_vessels import draw
from training.synth_water import ground, wake, water

if TYPE_CHECKING:
    from edge.geometry import Floats

QUAYS: list[Colour] = [(150, 146, 136), (122, 120, 114), (98, 98, 98), (170, 158, 134), (112, 100, 86), (74, 74, 76)]
_LENGTHS_PX = (20.0, 300.0)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the vessel of a chip lies, and in which light."""

    vessel: Vessel
    at: tuple[float, float]
    """Its middle, px."""
    heading: float
    """Radians from +x towards +y (down)."""
    gsd_m: float
    sun: Sun

    @property
    def ahead(self) -> Floats:
        """Unit vector (2,) towards the bow."""
        return np.array([np.cos(self.heading), np.sin(self.heading)])

    @property
    def right(self) -> Floats:
        """Unit vector (2,) to starboard."""
        return np.array([-np.sin(self.heading), np.cos(self.heading)])


def _quay(rng: np.random.Generator, image: Image, place: _Place) -> None:
    """Lay a quay or a finger pier with sheds and boxes on it alongside, in place."""
    height, width = image.shape[:2]
    side = float(rng.choice([-1, 1]))
    normal = place.right * side
    edge = np.array(place.at) + normal * (place.vessel.beam_m / 2 + float(rng.uniform(0.3, 4))) / place.gsd_m
    far = 2.0 * (width + height)
    deep = far if maybe(rng, 0.6) else float(rng.uniform(8, 40)) / place.gsd_m
    along, across = place.ahead * far, normal * deep
    shape = np.array([edge - along, edge + along, edge + along + across, edge - along + across])
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.rint((shape - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    land = ground(rng, width, height, place.gsd_m, QUAYS[int(rng.integers(len(QUAYS)))])
    blend = mask[..., None].astype(np.float32) / 255
    image[:] = (image * (1 - blend) + land * blend).astype(np.uint8)
    deep_m = min(deep * place.gsd_m, 120.0)
    canvas = Canvas((width, height), (float(edge[0]), float(edge[1])), place.heading, place.gsd_m, place.sun, 2)
    for _ in range(int(rng.integers(2, 14))):
        x, y = rng.uniform(-0.7, 0.7) * place.vessel.length_m, rng.uniform(2, max(deep_m - 4, 3)) * side
        long, wide = rng.uniform(3, 30), min(rng.uniform(2, 14), deep_m / 3) * side
        box = np.array([[x, y], [x + long, y], [x + long, y + wide], [x, y + wide]])
        canvas.solid(box, choose(rng, [*BOXES, *QUAYS, WHITE, WHITE]), float(rng.uniform(2, 10)))
    canvas.sprite().paste(image, 0, 0)


def _jetty(rng: np.random.Generator, image: Image, place: _Place) -> None:
    """Put a jetty's head alongside, in place: a platform with a trestle to the shore, dolphins, catwalks.

    Ships of every kind get one, so that a jetty is no sign of a tanker to what learns from these chips.
    """
    height, width = image.shape[:2]
    canvas = Canvas((width, height), place.at, place.heading, place.gsd_m, place.sun, 2)
    side, length = float(rng.choice([-1, 1])), place.vessel.length_m
    face = side * (place.vessel.beam_m / 2 + float(rng.uniform(1, 4)))
    concrete = choose(rng, QUAYS)

    def slab(x0: float, x1: float, y0: float, y1: float) -> None:
        ys = face + side * y0, face + side * y1
        canvas.solid(np.array([[x0, ys[0]], [x1, ys[0]], [x1, ys[1]], [x0, ys[1]]]), concrete, 4.0)

    half, deep = float(rng.uniform(0.04, 0.12)) * length, float(rng.uniform(0.04, 0.1)) * length
    slab(-0.6 * length, 0.6 * length, deep * 0.6, deep * 0.6 + max(0.006 * length, 0.6))
    slab(-half * 0.3, half * 0.3, deep, deep + 3 * length)
    slab(-half, half, 0, deep)
    for share, back in ((0.17, 0.0), (0.3, 0.0), (0.45, deep), (0.58, deep)):  # mooring dolphins stand back
        for end in (-share, share):
            slab((end - 0.015) * length, (end + 0.015) * length, back, back + 0.03 * length)
    canvas.under = concrete
    for x in np.linspace(-half * 0.7, half * 0.7, 4).tolist():
        inner, outer = np.array([x, face + side * deep * 0.2]), np.array([x, face + side * deep * 0.9])
        canvas.line(inner, outer, 1.0, choose(rng, [WHITE, (206, 176, 80), (90, 90, 92)]), 8.0)
    canvas.sprite().paste(image, 0, 0)


def _neighbour(rng: np.random.Generator, image: Image, place: _Place) -> None:
    """Put another hull of any kind alongside, in place: rafted, or a bunker ship or a tug."""
    other = launch(rng, str(rng.choice(list(FLEET))), max(place.vessel.length_m * float(rng.uniform(0.25, 1.1)), 10.0))
    apart = ((place.vessel.beam_m + other.beam_m) / 2 + float(rng.uniform(0.8, 5))) / place.gsd_m
    slide = float(rng.uniform(-0.3, 0.3)) * place.vessel.length_m / place.gsd_m
    x, y = (place.at + place.right * float(rng.choice([-1, 1])) * apart + place.ahead * slide).tolist()
    sprite, _ = draw(rng, other, place.gsd_m, place.heading + float(rng.choice([0, np.pi])), place.sun)
    height, width = sprite.alpha.shape
    sprite.paste(image, round(x) - width // 2, round(y) - height // 2)


def _under_way(rng: np.random.Generator, image: Image, place: _Place) -> None:
    """Draw a wake, in place."""
    length, beam = place.vessel.length_m / place.gsd_m, place.vessel.beam_m / place.gsd_m
    x, y = (place.at - place.ahead * length / 2).tolist()
    wake(rng, image, (x, y), place.heading, length, beam)


_SETTINGS = ((0.22, _quay), (0.13, _jetty), (0.15, _neighbour), (0.15, _under_way))  # the rest: open water


def render_chip(rng: np.random.Generator, kind: Kind | int) -> tuple[Image, Floats]:
    """Render one vessel of a kind (0 tanker, 1 other) with a little of its surroundings, degraded as by a sensor.

    Gives the picture, uint8 RGB (height, width, 3), and the corners (4, 2) px of the vessel's box, which lies inside:
    bow-left, bow-right, stern-right, stern-left. The vessel is 20 to 300 px long,
    at a GSD of 0.25 to 12 m.

    Raises:
        ValueError: the kind is neither tanker nor other.
    """
    if Kind(kind) is Kind.UNKNOWN:
        msg = "a chip shows a tanker (0) or another vessel (1)"
        raise ValueError(msg)
    vessel = launch(rng, pick_type(rng, Kind(kind)))
    length_px = float(np.exp(rng.uniform(*np.log(_LENGTHS_PX))))
    gsd_m = float(np.clip(vessel.length_m / length_px, 0.25, 12.0))
    gsd_m = float(np.clip(gsd_m, vessel.length_m / _LENGTHS_PX[1], vessel.length_m / _LENGTHS_PX[0]))
    length_px = vessel.length_m / gsd_m
    heading, sun = float(rng.uniform(0, 2 * np.pi)), Sun.random(rng)
    sprite, corners = draw(rng, vessel, gsd_m, heading, sun, (float(rng.random()), float(rng.random())))
    margin = int(length_px * rng.uniform(0.08, 0.3)) + 4
    low = np.floor(corners.min(0)).astype(int) - margin
    width, height = (np.ceil(corners.max(0)).astype(int) + margin - low).tolist()
    corners = corners - low
    image = water(rng, width, height, gsd_m)
    place = _Place(vessel, (float(corners[:, 0].mean()), float(corners[:, 1].mean())), heading, gsd_m, sun)
    chance = float(rng.random())
    for share, setting in _SETTINGS:
        if 0 <= chance < share:
            setting(rng, image, place)
        chance -= share
    sprite.paste(image, int(-low[0]), int(-low[1]))
    return degrade(rng, image, min(1.0, 0.3 + length_px / 100)), corners
