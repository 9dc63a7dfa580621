"""Vessels that carry no bulk goods: passenger ships, warships, offshore supply, tugs, fishing boats, yachts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.synth_chance import maybe
from training.synth_parts import (
    HULLS,
    ORANGE,
    WHITE,
    choose,
    crane,
    forecastle,
    funnel,
    helideck,
    house,
    hull,
    shade,
    vary,
)

if TYPE_CHECKING:
    from training.synth_canvas import Canvas, Colour
    from training.synth_fleet import Vessel

DARK: Colour = (44, 48, 54)


def paint_passenger(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a cruise ship or ferry: white decks stepped inwards, boats along the sides, pools or a green roof."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, [(176, 150, 120), WHITE, (96, 130, 110), (100, 120, 150), (150, 160, 160)])
    hull(canvas, vessel, rng, vary(rng, WHITE), deck)
    back, front = -0.44 * length, 0.3 * length
    canvas.box(back, front, -0.47 * beam, 0.47 * beam, vary(rng, WHITE), 0.15 * beam)
    count = int(np.clip(length / 16, 2, 14))
    x = np.linspace(back * 0.8, front * 0.8, count)
    for side in (-1, 1):
        y = np.full(count, side * 0.45 * beam)
        half = min(5.0, 0.3 * (x[1] - x[0]))
        canvas.boxes(
            np.stack([x - half, x + half, y - 1.2, y + 1.2], 1), np.tile(choose(rng, [ORANGE, WHITE]), (count, 1)), 1.0
        )
    canvas.box(back * 0.85, front * 0.92, -0.36 * beam, 0.36 * beam, deck, 0.1 * beam)
    for _ in range(int(rng.integers(2, 6))):
        x0 = float(rng.uniform(back * 0.7, front * 0.6))
        wide = float(rng.uniform(0.1, 0.3)) * beam
        tone = choose(rng, [WHITE, WHITE, (80, 170, 190), (190, 196, 200), (90, 100, 110)])
        canvas.box(x0, x0 + float(rng.uniform(0.03, 0.12)) * length, -wide, wide, tone, float(rng.choice([0, 3])))
    house(canvas, vessel, rng, front + 0.02 * length, 0.05 * length)
    funnel(canvas, vessel, rng, float(rng.uniform(-0.32, -0.1)) * length)


def paint_naval(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a warship: grey, slender, a stepped superstructure amidships, a gun ahead, a landing spot aft."""
    length, beam = vessel.length_m, vessel.beam_m
    grey = vary(rng, (132, 138, 142), 14)
    hull(canvas, vessel, rng, shade(grey, 1.1), shade(grey, float(rng.uniform(0.7, 0.95))))
    back, front = -0.28 * length, 0.2 * length
    canvas.box(back, front, -0.36 * beam, 0.36 * beam, grey, 0.25 * beam)
    canvas.box(0.05 * length, 0.17 * length, -0.42 * beam, 0.42 * beam, shade(grey, 1.12), 0.35 * beam)
    for x in (float(rng.uniform(-0.2, -0.05)) * length, 0.1 * length):
        canvas.box(x - 0.02 * length, x + 0.02 * length, -0.18 * beam, 0.18 * beam, shade(grey, 0.6), 0.3 * beam)
        canvas.disc(x + 0.03 * length, 0, 0.06 * beam, shade(grey, 1.2), 0.8 * beam)
    canvas.disc(0.3 * length, 0, 0.12 * beam, shade(grey, 1.1), 2.0)
    canvas.line(np.array([0.3 * length, 0]), np.array([0.35 * length, 0]), 0.8, shade(grey, 0.8))
    if maybe(rng, 0.6):
        canvas.box(0.22 * length, 0.26 * length, -0.16 * beam, 0.16 * beam, shade(grey, 0.65))
    if maybe(rng, 0.7):
        helideck(canvas, rng, -0.4 * length, 0, 0.32 * beam)
    for _ in range(8):
        x, y = rng.uniform(back, front), rng.uniform(-0.36, 0.36) * beam
        canvas.box(x - 1.2, x + 1.2, y - 0.8, y + 0.8, vary(rng, grey, 60), 1.5)


def paint_supply(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw an offshore supply ship: house and bridge ahead, a long working deck aft."""
    length, beam = vessel.length_m, vessel.beam_m
    side = choose(rng, [(190, 70, 50), (210, 110, 50), (40, 70, 130), (60, 110, 80), DARK])
    deck = choose(rng, [(130, 110, 90), (110, 104, 100), (90, 100, 92), (120, 62, 50)])
    hull(canvas, vessel, rng, side, deck)
    canvas.box(-0.47 * length, 0.12 * length, -0.42 * beam, 0.42 * beam, shade(deck, 0.85))
    for _ in range(int(rng.integers(1, 8))):
        x, y = rng.uniform(-0.42, 0.02) * length, rng.uniform(-0.36, 0.2) * beam
        canvas.box(
            x,
            x + rng.uniform(2, 8),
            y,
            y + rng.uniform(2, 4),
            choose(rng, [WHITE, ORANGE, (60, 90, 140), (120, 120, 116)]),
            2.0,
        )
    house(canvas, vessel, rng, 0.36 * length, 0.2 * length)
    if maybe(rng, 0.35):
        helideck(canvas, rng, 0.38 * length, 0, 0.36 * beam)
    funnel(canvas, vessel, rng, 0.12 * length)


def paint_tug(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a tug: round bow, black fender all round, wheelhouse ahead of the middle, towing gear aft."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, [(120, 60, 50), (90, 96, 92), (70, 100, 84), (150, 130, 100)])
    hull(canvas, vessel, rng, vary(rng, (34, 34, 36)), deck)
    wide = beam * float(rng.uniform(0.26, 0.36))
    paint = choose(rng, [WHITE, WHITE, (214, 190, 140), (190, 100, 60)])
    canvas.box(-0.1 * length, 0.25 * length, -wide, wide, shade(paint, 0.9), 3.0)
    canvas.box(0.04 * length, 0.2 * length, -wide * 0.75, wide * 0.75, paint, 3.0)
    for side in (-1, 1):
        canvas.box(
            -0.1 * length,
            -0.02 * length,
            side * wide * 0.6 - 0.6,
            side * wide * 0.6 + 0.6,
            choose(rng, [DARK, ORANGE, (40, 70, 140)]),
            3.0,
        )
    canvas.box(-0.26 * length, -0.18 * length, -0.15 * beam, 0.15 * beam, vary(rng, (120, 116, 108)), 1.2)
    canvas.box(0.33 * length, 0.37 * length, -0.12 * beam, 0.12 * beam, vary(rng, (130, 126, 118)), 1.0)


def paint_fishing(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a fishing boat: small house, nets and boxes on the working deck."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, [(150, 140, 124), (110, 120, 116), (120, 80, 62), (170, 166, 156)])
    hull(canvas, vessel, rng, choose(rng, [*HULLS, WHITE, (60, 110, 150)]), deck)
    ahead = float(rng.choice([-0.28, 0.12]))
    wide = 0.32 * beam
    canvas.box(ahead * length, (ahead + 0.2) * length, -wide, wide, vary(rng, WHITE), 2.5)
    canvas.box((ahead + 0.04) * length, (ahead + 0.15) * length, -wide * 0.7, wide * 0.7, shade(WHITE, 1.03), 1.5)
    for _ in range(6):
        x, y = rng.uniform(-0.4, 0.36) * length, rng.uniform(-0.25, 0.25) * beam
        size = 0.05 * length * rng.uniform(0.4, 1.2)
        canvas.box(
            x - size,
            x + size,
            y - size * 0.6,
            y + size * 0.6,
            choose(rng, [(50, 110, 100), ORANGE, (60, 60, 64), (190, 190, 180)]),
            0.8,
        )
    if length > 25 and maybe(rng, 0.6):  # noqa: PLR2004 - a boat has no cargo crane
        crane(canvas, rng, (0.05 * length, 0), (0.2 * length, float(rng.uniform(0, 6.28))), 0.6)
    forecastle(canvas, vessel, rng, deck)


def paint_yacht(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a motor yacht, or a sailing one with its mast and boom: white, a wooden after deck, dark windows."""
    length, beam = vessel.length_m, vessel.beam_m
    hull(canvas, vessel, rng, vary(rng, WHITE), vary(rng, (224, 222, 214)))
    canvas.box(
        -0.47 * length,
        -0.24 * length,
        -0.38 * beam,
        0.38 * beam,
        choose(rng, [(170, 130, 90), (190, 180, 164), (80, 100, 130)]),
    )
    if maybe(rng, 0.3):
        canvas.box(-0.2 * length, 0.15 * length, -0.22 * beam, 0.22 * beam, vary(rng, (206, 200, 188)), 0.6)
        canvas.line(
            np.array([0.08 * length, 0]),
            np.array([-0.3 * length, 0]),
            0.4,
            choose(rng, [(40, 70, 140), WHITE, DARK]),
            1.5,
        )
        canvas.disc(0.08 * length, 0, 0.2, WHITE, 0.9 * length)
        return
    canvas.box(-0.24 * length, 0.22 * length, -0.37 * beam, 0.37 * beam, vary(rng, WHITE), 1.8)
    canvas.box(0.12 * length, 0.2 * length, -0.34 * beam, 0.34 * beam, DARK)
    canvas.box(-0.18 * length, 0.1 * length, -0.27 * beam, 0.27 * beam, vary(rng, (226, 226, 222)), 1.6)
    canvas.box(0.02 * length, 0.06 * length, -0.22 * beam, 0.22 * beam, DARK)
