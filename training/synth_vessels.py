"""Render one vessel, of any type, as a sprite."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge.geometry import Floats, to_corners
from training.synth_barges import paint_barge, paint_pipe_barge, paint_tank_barge
from training.synth_bulk import paint_bulker, paint_laker
from training.synth_canvas import Canvas, Sprite, Sun
from training.synth_cargo import (
    paint_car_carrier,
    paint_cargo,
    paint_coaster,
    paint_container,
    paint_reefer,
    paint_roro,
)
from training.synth_craft import paint_fishing, paint_naval, paint_passenger, paint_supply, paint_tug, paint_yacht
from training.synth_fleet import FLEET, Vessel, launch
from training.synth_gas import paint_lng, paint_lpg, paint_membrane
from training.synth_tankers import paint_tanker

Painter = Callable[[Canvas, Vessel, np.random.Generator], None]

_PAINTERS: dict[str, Painter] = {
    "lng": paint_lng,
    "membrane": paint_membrane,
    "lpg": paint_lpg,
    "tank_barge": paint_tank_barge,
    "bulker": paint_bulker,
    "laker": paint_laker,
    "container": paint_container,
    "cargo": paint_cargo,
    "reefer": paint_reefer,
    "coaster": paint_coaster,
    "roro": paint_roro,
    "car_carrier": paint_car_carrier,
    "passenger": paint_passenger,
    "naval": paint_naval,
    "supply": paint_supply,
    "tug": paint_tug,
    "barge": paint_barge,
    "pipe_barge": paint_pipe_barge,
    "fishing": paint_fishing,
    "yacht": paint_yacht,
}
PAINTERS: dict[str, Painter] = {name: _PAINTERS.get(name, paint_tanker) for name in FLEET}

_FINE = 420  # subpixels along a hull that show its fittings


def corners_at(vessel: Vessel, centre: tuple[float, float], heading: float, gsd_m: float) -> Floats:
    """Corners (4, 2) px of the vessel's box: bow-left, bow-right, stern-right, stern-left."""
    size = vessel.length_m / gsd_m, vessel.beam_m / gsd_m
    return np.asarray(to_corners(np.array([[*centre, *size, heading]]))[0])


def draw(
    rng: np.random.Generator,
    vessel: Vessel,
    gsd_m: float,
    heading: float,
    sun: Sun,
    shift: tuple[float, float] = (0, 0),
) -> tuple[Sprite, Floats]:
    """Draw a vessel; gives the sprite and the corners (4, 2) px of its box in the sprite.

    `shift` (x, y), 0 to 1 px, moves it within its pixel.
    """
    reach = (vessel.deck_m + 0.6 * vessel.beam_m) * sun.per_m + 2  # shadows of masts and houses
    box = corners_at(vessel, (0, 0), heading, gsd_m)
    width, height = np.ceil(np.ptp(box, axis=0) + 2 * min(reach / gsd_m, 200) + 4).astype(int).tolist()
    centre = (width // 2 + shift[0], height // 2 + shift[1])
    fine = int(np.clip(round(_FINE * gsd_m / vessel.length_m), 2, 8))
    canvas = Canvas((width, height), centre, heading, gsd_m, sun, fine)
    PAINTERS[vessel.name](canvas, vessel, rng)
    return canvas.sprite().weathered(rng, float(rng.uniform(0.01, 0.07))), box + centre


def render_vessel(
    rng: np.random.Generator,
    kind_name: str,
    length_m: float,
    gsd_m: float,
    heading_rad: float,
    sun: Sun | None = None,
) -> tuple[np.ndarray, Floats]:
    """Render one vessel of a type (a key of FLEET) on a transparent ground.

    Gives the sprite, uint8 with shape (height, width, 4), straight alpha, the shadow left out, and the corners (4, 2)
    px of its hull's box in the sprite. The heading is the bow's, from +x towards +y (down).
    """
    vessel = launch(rng, kind_name, length_m)
    sprite, corners = draw(rng, vessel, gsd_m, heading_rad, sun or Sun.random(rng))
    alpha = np.maximum(sprite.alpha, 1)[..., None]
    straight = np.minimum(sprite.rgb.astype(np.uint32) * 255 // alpha, 255).astype(np.uint8)
    return np.concatenate([straight, sprite.alpha[..., None]], 2), corners
