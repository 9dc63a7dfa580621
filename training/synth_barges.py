"""Barges, which have no engine: with a hold, with goods on a flat deck, with pipes on it, and for oil."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.synth_cargo import BOXES
from training.synth_chance import maybe
from training.synth_holds import GOODS, open_hold
from training.synth_parts import WHITE, choose, crane, hull, shade, vary
from training.synth_tankers import DECKS, manifold, pipe_rack, tank_tops

if TYPE_CHECKING:
    from training.synth_canvas import Canvas, Colour
    from training.synth_fleet import Vessel

PLATES: list[Colour] = [*DECKS, (110, 104, 96), (90, 70, 60)]
TUBES: list[Colour] = [(52, 52, 54), (150, 148, 142), (128, 84, 62), (70, 110, 90), (196, 192, 182), (176, 140, 80)]


def _bitts(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Mooring gear at both ends."""
    length, beam = vessel.length_m, vessel.beam_m
    for x in (-0.47 * length, 0.45 * length):
        canvas.box(x, x + 0.02 * length, -0.3 * beam, 0.3 * beam, vary(rng, (90, 86, 80)), 0.8)


def paint_barge(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a dumb barge: a box with a hold, or a flat deck with some load."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, PLATES)
    hull(canvas, vessel, rng, shade(deck, 0.7), deck)
    if maybe(rng, 0.55):
        canvas.box(-0.44 * length, 0.44 * length, -0.41 * beam, 0.41 * beam, shade(deck, 1.2), 1.0)
        open_hold(canvas, rng, (-0.43 * length, 0.43 * length), 0.38 * beam)
        return
    for _ in range(int(rng.integers(0, 7))):
        x, y = rng.uniform(-0.4, 0.3) * length, rng.uniform(-0.35, 0.2) * beam
        long, wide = rng.uniform(2, 0.14 * length + 2), rng.uniform(1.5, 0.25 * beam + 1.5)
        canvas.box(x, x + long, y, y + wide, choose(rng, [*BOXES, *GOODS]), 2.0)
    _bitts(canvas, vessel, rng)


def _stack(canvas: Canvas, rng: np.random.Generator, x: tuple[float, float], y: tuple[float, float]) -> None:
    """Pipes side by side between stations x, over the width y, m; single joints are 12.2 m long, double ones 24.4."""
    joint = 12.2 if maybe(rng, 0.6) else 24.4
    count = max(int((x[1] - x[0]) / (joint + 0.8)), 1)
    pitch = (x[1] - x[0]) / count
    wide = float(np.clip(rng.uniform(0.5, 1.3), (y[1] - y[0]) / 24, 1.6))
    paint, tall = choose(rng, TUBES), float(rng.uniform(1, 5))
    lines = np.arange(y[0], y[1] - wide * 0.9, wide)
    if not len(lines):
        return
    for i in range(count):
        if maybe(rng, 0.06):
            continue
        x0, x1 = x[0] + i * pitch + 0.4, x[0] + (i + 1) * pitch - 0.4
        canvas.box(x0, x1, lines[0], lines[-1] + wide, shade(paint, 0.55), tall)
        ends = rng.normal(0, 0.25, (2, len(lines)))
        spans = np.stack([x0 + ends[0], x1 + ends[1], lines + 0.12 * wide, lines + 0.88 * wide], 1)
        canvas.boxes(spans, np.array([shade(paint, float(g)) for g in rng.uniform(0.9, 1.15, len(lines))]))


def paint_pipe_barge(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a deck barge laden with pipes, in one to four stacks between stanchions: from afar, a pipe rack."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, PLATES)
    hull(canvas, vessel, rng, shade(deck, 0.7), deck)
    _bitts(canvas, vessel, rng)
    stacks, room = int(rng.integers(1, 5)), float(rng.uniform(0.3, 0.8)) * beam
    pitch, back, front = room / stacks, -float(rng.uniform(0.2, 0.43)) * length, float(rng.uniform(0.2, 0.43)) * length
    for i in range(stacks):
        y0 = -room / 2 + i * pitch
        _stack(canvas, rng, (back, front), (y0 + 0.06 * pitch, y0 + 0.94 * pitch))
    for x in np.arange(back, front, 12.2):
        for y in (-room / 2 - 0.6, room / 2 + 0.2):
            canvas.box(float(x), float(x) + 0.5, y, y + 0.4, (150, 120, 60), 4.0)
    if maybe(rng, 0.3):  # a crawler crane came along
        boom = (0.25 * length, float(rng.uniform(0, 6.28)))
        crane(canvas, rng, (front + 0.04 * length, 0.1 * beam), boom, 2.4)


def paint_tank_barge(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a barge for oil: tank tops, cargo pipes, a manifold with its hose crane, a pump house, nobody's home."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, DECKS)
    hull(canvas, vessel, rng, shade(deck, float(rng.uniform(0.6, 1.1))), deck)
    if maybe(rng, 0.4):  # the deck over the tanks is raised
        tone = shade(deck, float(rng.uniform(0.9, 1.2)))
        canvas.box(-0.44 * length, 0.42 * length, -0.4 * beam, 0.4 * beam, tone, 1.2)
        canvas.under = tone
    span = (-0.4 * length, 0.4 * length)
    tank_tops(canvas, vessel, rng, span)
    pipe_rack(canvas, vessel, rng, span)
    manifold(canvas, vessel, rng, float(rng.uniform(-0.08, 0.08)) * length)
    x = -float(rng.uniform(0.38, 0.43)) * length
    canvas.box(x, x + 0.05 * length, 0.05 * beam, 0.25 * beam, vary(rng, WHITE), 2.5)
    _bitts(canvas, vessel, rng)
    if maybe(rng, 0.4):  # the notch for the bow of the tug that pushes it
        canvas.box(-0.5 * length, -0.46 * length, -0.16 * beam, 0.16 * beam, (40, 40, 42))
