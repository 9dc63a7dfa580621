"""Chips for training a classifier of kinds: one whole vessel on a small background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.detections import Kind
from training.synth_canvas import Sun
from training.synth_chance import maybe
from training.synth_fleet import launch, pick_type
from training.synth_sensor import degrade
from training.synth_settings import Place, surround
from training.synth_sky import hidden, maybe_sky
from training.synth_vessels import draw
from training.synth_water import WATERS, water

if TYPE_CHECKING:
    from edge.geometry import Floats
    from training.synth_canvas import Colour, Image, Sprite

_LENGTHS_PX = (20.0, 300.0)
_HIDDEN = 0.25  # a chip is there to show its vessel: less of it than of a scene's may be under cloud


def _alike(sprite: Sprite) -> Colour:
    """The natural colour of water that is nearest to a vessel's: against it the hull is hard to see."""
    alpha = float(sprite.alpha.sum()) / 255
    mean = sprite.rgb.reshape(-1, 3).sum(0, dtype=np.float64) / max(alpha, 1.0)
    return WATERS[int(np.argmin(np.abs(np.array(WATERS) - mean).sum(1)))]


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
    image = water(rng, width, height, gsd_m, _alike(sprite) if maybe(rng, 0.1) else None)
    place = Place(vessel, (float(corners[:, 0].mean()), float(corners[:, 1].mean())), heading, gsd_m, sun)
    surround(rng, image, place)
    sprite.paste(image, int(-low[0]), int(-low[1]))
    sky = maybe_sky(rng, (width, height), gsd_m, sun)
    if sky is not None and hidden(sky, corners[None])[0] <= _HIDDEN:
        image = sky.over(image)
    return degrade(rng, image, gsd_m, min(1.0, 0.3 + length_px / 100)), corners
