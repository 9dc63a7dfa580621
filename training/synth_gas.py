"""Gas carriers: LNG in spheres or under a trunk deck, LPG in pressure tanks or in insulated tanks below domes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from training.synth_chance import maybe
from training.synth_parts import HULLS, WHITE, aft_house, choose, forecastle, frames, hull, shade, vary
from training.synth_tankers import DECKS, PALE, PIPES, manifold, pipe_rack

if TYPE_CHECKING:
    from training.synth_canvas import Canvas, Colour
    from training.synth_fleet import Vessel

TANKS: list[Colour] = [(214, 210, 200), (196, 150, 110), (150, 160, 170), (226, 224, 216)]
_LARGE_M = 150.0  # longer LPG carriers keep their gas cold, not under pressure


def _deck(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> tuple[float, float]:
    """Hull, deck and forecastle; gives the stations between which the cargo lies, m."""
    deck = choose(rng, PALE if maybe(rng, 0.15) else DECKS)
    hull(canvas, vessel, rng, choose(rng, HULLS) if maybe(rng, 0.7) else shade(deck, 1.3), deck)
    bow = forecastle(canvas, vessel, rng, deck)
    return -0.33 * vessel.length_m, bow - 0.015 * vessel.length_m


def _machinery(canvas: Canvas, vessel: Vessel, rng: np.random.Generator, x: float) -> None:
    """The house of the cargo compressors, on one side of the deck at station x."""
    long, wide = 0.045 * vessel.length_m, 0.17 * vessel.beam_m
    y = float(rng.choice([-1, 1])) * 0.22 * vessel.beam_m
    canvas.box(x - long / 2, x + long / 2, y - wide / 2, y + wide / 2, vary(rng, WHITE), 5.0)
    canvas.box(x - long / 5, x + long / 5, y - wide / 5, y + wide / 5, (120, 122, 122), 1.5)


def _domes(canvas: Canvas, rng: np.random.Generator, stations: list[float], radius_m: float) -> None:
    """A dome and a vent mast over each tank."""
    paint = choose(rng, [WHITE, (206, 200, 186), shade(canvas.under, 1.3)])
    for x in stations:
        canvas.box(x - 1.3 * radius_m, x + 1.3 * radius_m, -radius_m, radius_m, shade(paint, 0.85), 1.5)
        canvas.disc(x, 0, radius_m * 0.75, paint, 2.0)
        canvas.disc(x + 2.2 * radius_m, radius_m * 0.6, 0.5, WHITE, 14.0)


def _sphere(canvas: Canvas, x: float, radius_m: float, paint: Colour) -> None:
    """One ball, lit on the side of the sun."""
    light = np.array([-canvas.sun_ahead, -canvas.sun_right])
    light /= max(float(np.hypot(*light)), 0.6)
    canvas.disc(x, 0, radius_m, shade(paint, 0.62), radius_m * 0.8)
    for step in range(1, 6):
        dx, dy = light * radius_m * 0.11 * step
        canvas.disc(x + dx, dy, radius_m * (1 - 0.15 * step), shade(paint, 0.62 + 0.1 * step))


def paint_lng(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw an LNG carrier of the Moss type: four or five spheres that stand half above the deck."""
    span = _deck(canvas, vessel, rng)
    count = int(rng.integers(4, 6))
    pitch = (span[1] - span[0]) / count
    radius = min(pitch / 2.12, 0.47 * vessel.beam_m)
    paint = choose(rng, TANKS)
    for i in range(count):
        _sphere(canvas, span[0] + (i + 0.5) * pitch, radius, paint)
    canvas.box(*span, -1.2, 1.2, (190, 188, 182), 2.0)
    aft_house(canvas, vessel, rng)


def paint_membrane(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw an LNG carrier with membrane tanks: a trunk with sloping sides nearly as long and as wide as the ship."""
    span = _deck(canvas, vessel, rng)
    length, beam = vessel.length_m, vessel.beam_m
    tone = shade(canvas.under, float(rng.uniform(1.0, 1.3))) if maybe(rng, 0.6) else choose(rng, PALE)
    half, slope = beam * float(rng.uniform(0.36, 0.42)), 0.06 * beam
    canvas.box(*span, -half, half, shade(tone, 0.9), 7.0)
    for side in (-1, 1):  # the slope that faces the sun is bright
        y0, y1 = sorted((side * half, side * (half - slope)))
        canvas.box(*span, y0, y1, shade(tone, 0.7 if side * canvas.sun_right > 0 else 1.2))
    canvas.under = tone
    canvas.box(*span, slope - half, half - slope, tone)
    count = int(rng.integers(4, 6)) if length > 300 else 4  # noqa: PLR2004 - the largest have five tanks
    stations = [span[0] + (i + 0.62) * (span[1] - span[0]) / count for i in range(count)]
    rack = max(0.022 * beam, 0.8)
    for y in rng.uniform(-0.12, 0.12, 3) * beam:
        canvas.box(*span, float(y) - rack / 2, float(y) + rack / 2, choose(rng, PIPES), 1.5)
    _domes(canvas, rng, stations, 0.07 * beam)
    manifold(canvas, vessel, rng, float(rng.uniform(-0.05, 0.04)) * length)
    _machinery(canvas, vessel, rng, 0.12 * length)
    aft_house(canvas, vessel, rng)


def _lying(canvas: Canvas, span: tuple[float, float], middle: float, radius_m: float, paint: Colour) -> None:
    """A cylinder that lies fore and aft, with round heads, lit on the side of the sun."""
    x0, x1 = span
    turns = np.linspace(-np.pi / 2, np.pi / 2, 8)
    head = np.stack([0.55 * radius_m * np.cos(turns), radius_m * np.sin(turns)], 1)
    shape = np.concatenate(
        [np.array([x1 - 0.55 * radius_m, middle]) + head, np.array([x0 + 0.55 * radius_m, middle]) - head]
    )
    canvas.fill(shape, shade(paint, 0.6), radius_m)
    edges = np.linspace(-1, 1, 8)
    lit = -float(np.clip(canvas.sun_right, -1, 1))
    for a, b in pairwise(edges.tolist()):
        across = (a + b) / 2
        gain = 0.72 + 0.33 * np.sqrt(1 - across**2) + 0.25 * across * lit
        inset = radius_m * 0.55 * (1 - np.sqrt(1 - min(max(abs(a), abs(b)), 0.98) ** 2))
        spot = (middle + a * radius_m * 0.97, middle + b * radius_m * 0.97)
        canvas.box(x0 + inset, x1 - inset, *spot, shade(paint, float(gain)))


def _pressure_tanks(canvas: Canvas, vessel: Vessel, rng: np.random.Generator, span: tuple[float, float]) -> None:
    """Two or three rows of cylinders, one or two abreast, their tops out of the deck."""
    rows, abreast = int(rng.integers(2, 4)), int(rng.integers(1, 3))
    pitch = (span[1] - span[0]) / rows
    radius = vessel.beam_m * float(rng.uniform(0.26, 0.36)) / abreast
    paint = choose(rng, [*TANKS, shade(canvas.under, 1.2), (190, 90, 60)])
    for i in range(rows):
        x0 = span[0] + i * pitch
        for j in range(abreast):
            y = (j - (abreast - 1) / 2) * 2.5 * radius
            _lying(canvas, (x0 + 0.05 * pitch, x0 + 0.9 * pitch), y, radius, paint)
    walk = max(0.03 * vessel.beam_m, 0.6)
    canvas.box(*span, -walk, walk, choose(rng, PIPES), 2.0)
    _domes(canvas, rng, [span[0] + (i + 0.5) * pitch for i in range(rows)], 0.07 * vessel.beam_m)


def _cold_tanks(canvas: Canvas, vessel: Vessel, rng: np.random.Generator, span: tuple[float, float]) -> None:
    """A deck with three or four domes, a pipe rack, and small pressure tanks that stand on it."""
    length, beam = vessel.length_m, vessel.beam_m
    frames(canvas, vessel, rng, span, canvas.under)
    pipe_rack(canvas, vessel, rng, span)
    count = int(rng.integers(3, 5))
    pitch = (span[1] - span[0]) / count
    _domes(canvas, rng, [span[0] + (i + 0.55) * pitch for i in range(count)], 0.1 * beam)
    side, radius = float(rng.choice([-1, 1])), float(np.clip(0.06 * beam, 1.4, 2.6))
    paint = choose(rng, TANKS)
    for i in range(int(rng.integers(1, 3))):
        x = span[0] + (0.12 + 0.2 * i) * length
        _lying(canvas, (x, x + 0.1 * length), side * 0.33 * beam, radius, paint)


def paint_lpg(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw an LPG carrier: pressure tanks on a small one, domes on a large one, a manifold amidships on both."""
    span = _deck(canvas, vessel, rng)
    if vessel.length_m < _LARGE_M:
        _pressure_tanks(canvas, vessel, rng, span)
    else:
        _cold_tanks(canvas, vessel, rng, span)
    manifold(canvas, vessel, rng, float(rng.uniform(-0.04, 0.06)) * vessel.length_m)
    _machinery(canvas, vessel, rng, float(rng.uniform(-0.2, 0.16)) * vessel.length_m)
    aft_house(canvas, vessel, rng)
