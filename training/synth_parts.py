"""Parts that several types of vessel share: hull and deck, the house with its funnel, cranes, the forecastle.

Every part is drawn by a function of the canvas (metres, see synth_canvas) and a random generator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.synth_chance import maybe
from training.synth_fleet import Vessel, inset, outline

if TYPE_CHECKING:
    from edge.geometry import Floats
    from training.synth_canvas import Canvas, Colour

WHITE: Colour = (232, 232, 226)
YELLOW: Colour = (214, 180, 60)
ORANGE: Colour = (214, 104, 48)
HULLS: list[Colour] = [
    (36, 36, 40),
    (112, 40, 36),
    (34, 54, 92),
    (70, 74, 78),
    (150, 60, 44),
    (40, 84, 76),
    (190, 190, 186),
]
FUNNELS: list[Colour] = [(40, 40, 44), (170, 50, 44), (40, 70, 140), (214, 150, 50), (60, 120, 90), (225, 225, 220)]


def vary(rng: np.random.Generator, colour: Colour, spread: float = 12) -> Colour:
    """A neighbour of a colour: another brightness, a slightly other hue, faded as seen through the air."""
    gain, fade = rng.uniform(0.85, 1.12), rng.uniform(0.05, 0.45)
    shifted = [c * gain + d for c, d in zip(colour, rng.normal(0, spread / 3, 3).tolist(), strict=True)]
    mean = sum(shifted) / 3
    r, g, b = (int(min(max(c + (mean - c) * fade, 8), 250)) for c in shifted)
    return r, g, b


def choose(rng: np.random.Generator, colours: list[Colour]) -> Colour:
    """One of the colours, varied."""
    return vary(rng, colours[int(rng.integers(len(colours)))])


def shade(colour: Colour, gain: float) -> Colour:
    """The colour made darker (gain < 1) or lighter."""
    r, g, b = (int(min(c * gain, 250)) for c in colour)
    return r, g, b


def hull(canvas: Canvas, vessel: Vessel, rng: np.random.Generator, side: Colour, deck: Colour) -> Floats:
    """Hull seen from above, a rim in the colour of the side or of the rail round the deck; gives it (k, 2) m."""
    shape = outline(rng, vessel)
    canvas.solid(shape, side, vessel.deck_m)
    rim = float(np.clip(0.018 * vessel.beam_m * rng.uniform(0.6, 2.0), 0.15, 1.4))
    canvas.fill(inset(shape, rim), deck)
    canvas.under = deck
    return shape


def frames(canvas: Canvas, vessel: Vessel, rng: np.random.Generator, span: tuple[float, float], deck: Colour) -> None:
    """Transverse girders on the deck as faint lines, between two stations `span` m."""
    count = int(rng.integers(10, 34))
    x = np.linspace(*span, count)
    half = 0.47 * vessel.beam_m
    spans = np.stack([x - 0.4, x + 0.4, np.full(count, -half), np.full(count, half)], 1)
    canvas.boxes(spans, np.tile(shade(deck, float(rng.choice([0.72, 0.82, 1.2]))), (count, 1)))


def funnel(canvas: Canvas, vessel: Vessel, rng: np.random.Generator, x: float) -> None:
    """Funnel and casing about station x."""
    width, length = vessel.beam_m * rng.uniform(0.12, 0.24), vessel.beam_m * rng.uniform(0.15, 0.35)
    canvas.box(x - length, x + length * 0.4, -width, width, vary(rng, WHITE, 20), 3.0)
    canvas.box(x - length * 0.7, x, -width * 0.6, width * 0.6, choose(rng, FUNNELS), 7.0)


def house(canvas: Canvas, vessel: Vessel, rng: np.random.Generator, front: float, depth: float) -> float:
    """Accommodation block with bridge wings, its front at station `front` m and `depth` m long; gives its after end."""
    beam, tall = vessel.beam_m, float(np.clip(0.4 * vessel.beam_m, 3, 16))
    paint = vary(rng, WHITE if maybe(rng, 0.85) else (206, 190, 160), 10)
    wide = beam * float(rng.uniform(0.34, 0.46))
    canvas.box(front - depth, front, -wide, wide, shade(paint, 0.9), tall * 0.75)
    inner = wide * float(rng.uniform(0.7, 1.0))
    canvas.box(front - depth * rng.uniform(0.5, 0.85), front, -inner, inner, paint, tall * 0.25)
    bridge = max(0.16 * depth, 1.2)
    canvas.box(front - bridge, front + 0.3, -beam * 0.5, beam * 0.5, shade(paint, 1.04), tall * 0.2)
    x = front - depth * float(rng.uniform(0.3, 0.5))  # what stands on the roof: masts, lockers, domes
    canvas.boxes(
        np.array([[x - 1, x + 1, -inner * 0.3, inner * 0.3], [x - 3, x - 2, inner * 0.4, inner * 0.7]]),
        np.array([shade(paint, 0.55), shade(paint, 0.7)]),
        2.0,
    )
    canvas.disc(x + 1.5, -inner * 0.6, 1.0, shade(paint, 1.05), 1.0)
    if maybe(rng, 0.5):  # free-fall or side boats
        y = wide * float(rng.choice([-1, 1]))
        canvas.box(front - depth * 0.8, front - depth * 0.35, y - 1.4, y + 1.4, vary(rng, ORANGE), 1.0)
    return front - depth


def aft_house(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> float:
    """House, funnel and poop deck of a ship with its engine aft; gives the station of the house's front."""
    length = vessel.length_m
    depth = float(np.clip(rng.uniform(0.055, 0.1) * length, 5, 24))
    poop = float(rng.uniform(0.02, 0.09)) * length
    casing = 0.4 * depth
    front = -length / 2 + poop + casing + depth
    back = house(canvas, vessel, rng, front, depth)
    funnel(canvas, vessel, rng, back - casing * 0.2)
    small = max(0.05 * vessel.beam_m, 0.6)
    for _ in range(4):  # winches and vents on the poop
        x, y = rng.uniform(-length / 2 + 0.25 * poop, back - casing * 0.5), rng.uniform(-0.25, 0.25) * vessel.beam_m
        canvas.box(x - small, x + small, y - small, y + small, vary(rng, (150, 145, 135), 60), 1.2)
    return front


def forecastle(canvas: Canvas, vessel: Vessel, rng: np.random.Generator, deck: Colour) -> float:
    """Anchor gear, breakwater and foremast; gives the station of the breakwater."""
    length, beam = vessel.length_m, vessel.beam_m
    start = length / 2 - float(rng.uniform(0.06, 0.1)) * length
    if maybe(rng, 0.6):
        tone = shade(deck, float(rng.choice([0.8, 1.2, 1.4])))
        canvas.box(start - 0.5, start + 0.5, -0.38 * beam, 0.38 * beam, tone, 1.5)
    size = max(0.06 * beam, 0.6)
    for y in (-0.15 * beam, 0.15 * beam):  # windlasses, the chains ahead of them
        x = start + 0.02 * length
        canvas.box(x - size, x + size, y - size, y + size, vary(rng, (140, 138, 130), 60), 1.2)
        canvas.line(np.array([x, y]), np.array([x + 0.025 * length, y * 0.5]), 0.6, (60, 56, 52))
    mast = start + 0.01 * length
    canvas.disc(mast, 0, max(0.02 * beam, 0.4), vary(rng, (222, 220, 205)), 0.45 * beam)
    return start


def crane(
    canvas: Canvas, rng: np.random.Generator, at: tuple[float, float], boom: tuple[float, float], size_m: float
) -> None:
    """A pedestal crane at (x, y) m with a boom of (length m, direction rad), its pedestal `size_m` wide."""
    x, y = at
    paint = choose(rng, [YELLOW, WHITE, (200, 120, 60), (160, 166, 170), (120, 150, 140)])
    canvas.disc(x, y, size_m * 0.7, shade(paint, 0.8), size_m * 3)
    end = np.array([x + boom[0] * np.cos(boom[1]), y + boom[0] * np.sin(boom[1])])
    canvas.line(np.array([x, y]), end, size_m * 0.45, paint, 3.0)
    canvas.box(x - size_m * 0.6, x + size_m * 0.6, y - size_m * 0.5, y + size_m * 0.5, paint)


def helideck(canvas: Canvas, rng: np.random.Generator, x: float, y: float, radius_m: float) -> None:
    """Landing or winching circle."""
    ring = choose(rng, [YELLOW, WHITE])
    canvas.disc(x, y, radius_m, ring)
    canvas.disc(x, y, radius_m * 0.84, choose(rng, [(60, 110, 80), (120, 60, 50), canvas.under]))
    canvas.disc(x, y, radius_m * 0.4, ring)
    canvas.disc(x, y, radius_m * 0.28, canvas.under)
