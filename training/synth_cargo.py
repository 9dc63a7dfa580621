"""Ships that carry other goods: bulkers, general cargo, river coasters, container ships, ro-ro ships."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.synth_chance import maybe
from training.synth_parts import (
    HULLS,
    WHITE,
    aft_house,
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
from training.synth_tankers import DECKS

if TYPE_CHECKING:
    from training.synth_canvas import Canvas, Colour
    from training.synth_fleet import Vessel

BOXES: list[Colour] = [
    (150, 52, 44),
    (176, 92, 52),
    (44, 72, 128),
    (60, 110, 150),
    (196, 194, 188),
    (90, 96, 98),
    (62, 110, 82),
    (120, 60, 52),
    (206, 176, 90),
    (104, 40, 50),
]
GOODS: list[Colour] = [(60, 50, 44), (30, 30, 32), (140, 100, 70), (170, 150, 120), (110, 60, 46), (190, 186, 176)]


def _hatches(
    canvas: Canvas, vessel: Vessel, rng: np.random.Generator, span: tuple[float, float], count: int
) -> list[float]:
    """Hatch covers in a row along the middle, a few of them open; gives the stations between them, m."""
    beam = vessel.beam_m
    pitch = (span[1] - span[0]) / count
    half = beam * float(rng.uniform(0.24, 0.36))
    fill = float(rng.uniform(0.66, 0.86))
    cover = choose(
        rng, [shade(canvas.under, 1.25), shade(canvas.under, 0.75), *DECKS, (190, 186, 174), (120, 150, 160)]
    )
    opened = 0.15 if maybe(rng, 0.7) else 0.7
    for i in range(count):
        x0 = span[0] + (i + (1 - fill) / 2) * pitch
        x1 = x0 + fill * pitch
        canvas.box(x0 - 0.5, x1 + 0.5, -half - 0.7, half + 0.7, shade(cover, 0.7), 1.0)
        if maybe(rng, opened):
            _open_hold(canvas, rng, (x0, x1), half)
            continue
        canvas.box(x0, x1, -half, half, cover, 1.2)
        if maybe(rng, 0.5):
            canvas.box(x0, x1, -0.35, 0.35, shade(cover, 0.6))
        else:
            middle = (x0 + x1) / 2
            canvas.box(middle - 0.35, middle + 0.35, -half, half, shade(cover, 0.6))
    return [span[0] + i * pitch for i in range(count + 1)]


def _open_hold(canvas: Canvas, rng: np.random.Generator, span: tuple[float, float], half: float) -> None:
    """A hold without cover: cargo or emptiness, one wall in shadow."""
    goods = choose(rng, GOODS)
    canvas.box(*span, -half, half, goods)
    x0, x1 = span
    deep = half * float(rng.uniform(0.15, 0.6))
    y0, y1 = (-half, -half + deep) if canvas.sun_right > 0 else (half - deep, half)
    canvas.box(x0, x1, y0, y1, shade(goods, 0.5))
    if canvas.sun_ahead > 0:
        canvas.box(x0, x0 + min(deep, x1 - x0), -half, half, shade(goods, 0.5))
    else:
        canvas.box(x1 - min(deep, x1 - x0), x1, -half, half, shade(goods, 0.5))


def paint_bulker(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a bulk carrier: five to nine hatches, often cranes between them when it is not large."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, DECKS)
    hull(canvas, vessel, rng, choose(rng, HULLS) if maybe(rng, 0.7) else shade(deck, 1.3), deck)
    bow = forecastle(canvas, vessel, rng, deck)
    front = aft_house(canvas, vessel, rng)
    count = int(np.clip(round(length / 31 + rng.normal(0, 0.7)), 5, 9))
    gaps = _hatches(canvas, vessel, rng, (front + 0.015 * length, bow - 0.005 * length), count)
    if length < 215 and maybe(rng, 0.75):  # noqa: PLR2004 - larger bulkers are served from the shore
        size = float(np.clip(0.09 * beam, 1.5, 3.4))
        for x in gaps[1:-1] if maybe(rng, 0.6) else gaps[1:-1:2]:
            crane(
                canvas,
                rng,
                (x, 0),
                (length / count * 0.85, float(rng.choice([0, np.pi])) + float(rng.normal(0, 0.15))),
                size,
            )


def paint_cargo(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a general cargo ship: two to four long hatches, cranes at one side or between."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, DECKS)
    hull(canvas, vessel, rng, choose(rng, HULLS), deck)
    bow = forecastle(canvas, vessel, rng, deck)
    front = aft_house(canvas, vessel, rng)
    count = int(rng.integers(2, 5))
    span = (front + 0.01 * length, bow - 0.01 * length)
    gaps = _hatches(canvas, vessel, rng, span, count)
    if maybe(rng, 0.3):
        _stow(canvas, rng, span, 0.36 * beam, layers=1)
    if maybe(rng, 0.65):
        side = float(rng.choice([-0.4, 0.0, 0.4])) * beam
        for x in gaps[1:-1]:
            crane(
                canvas,
                rng,
                (x, side),
                (length / count * 0.7, float(rng.choice([0, np.pi])) + float(rng.normal(0, 0.15))),
                max(0.1 * beam, 1.2),
            )


def paint_coaster(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a river or coastal motor vessel: one or two long holds, often open, a low house aft."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, [*DECKS, (120, 70, 60), (104, 60, 54)])
    hull(canvas, vessel, rng, shade(deck, float(rng.uniform(0.8, 1.4))), deck)
    front = house(canvas, vessel, rng, -length / 2 + 0.16 * length, 0.08 * length) + 0.09 * length
    count = int(rng.integers(1, 4))
    pitch = (0.42 * length - front) / count
    half = beam * float(rng.uniform(0.34, 0.42))
    for i in range(count):
        x0, x1 = front + i * pitch + 0.5, front + (i + 1) * pitch - 0.8
        canvas.box(x0 - 0.5, x1 + 0.5, -half - 0.4, half + 0.4, shade(deck, float(rng.uniform(0.7, 1.4))), 1.0)
        if maybe(rng, 0.65):
            _open_hold(canvas, rng, (x0, x1), half)
        else:
            canvas.box(x0, x1, -half, half, choose(rng, DECKS), 0.8)
            seams = np.arange(x0, x1, 5.0)
            canvas.boxes(
                np.stack([seams, seams + 0.4, seams * 0 - half, seams * 0 + half], 1),
                np.tile(shade(deck, 0.6), (len(seams), 1)),
            )
    canvas.disc(length / 2 - 0.05 * length, 0, max(0.04 * beam, 0.4), (200, 196, 186), 3.0)


def _stow(canvas: Canvas, rng: np.random.Generator, span: tuple[float, float], half: float, layers: int) -> None:
    """Stacks of forty-foot boxes in bays (12.2 m and a gap) and rows (2.5 m) of many colours."""
    bays = np.arange(span[0], span[1] - 12.2, 14.2)
    rows = np.arange(-half, half - 2.4, 2.5)
    if len(bays) == 0 or len(rows) == 0:
        return
    liner = choose(rng, BOXES)  # a liner carries many boxes of its own colour
    for x in bays:
        if maybe(rng, 0.1):
            continue
        tall = float(rng.integers(1, layers + 1)) * 2.6
        canvas.box(x, x + 12.2, rows[0], rows[-1] + 2.5, (70, 66, 64), tall)
        kept = rng.permutation(rows)[: max(len(rows) - int(rng.integers(0, 3)), 1)]
        tones = np.array([liner if maybe(rng, 0.35) else choose(rng, BOXES) for _ in kept], int).reshape(-1, 3)
        halves = maybe(rng, 0.3)  # two twenty-foot boxes in a slot
        spans = np.stack(
            [np.full(len(kept), x), np.full(len(kept), x + (6.0 if halves else 12.2)), kept + 0.05, kept + 2.45], 1
        )
        canvas.boxes(spans, tones)
        if halves:
            canvas.boxes(spans + np.array([6.2, 6.2, 0, 0]), np.roll(tones, 1, 0))


def paint_container(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a container ship: bays of boxes before and behind the bridge."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, DECKS)
    hull(canvas, vessel, rng, choose(rng, HULLS), deck)
    bow = forecastle(canvas, vessel, rng, deck)
    bridge = -length / 2 + length * float(rng.choice([0.16, 0.28, 0.66] if length > 180 else [0.16]))  # noqa: PLR2004
    depth = float(np.clip(0.045 * length, 6, 14))
    layers = int(np.clip(length / 45, 1, 7))
    _stow(canvas, rng, (-length / 2 + 0.03 * length, bridge - depth - 2), 0.46 * beam, layers)
    fore = bow - 0.02 * length
    taper = fore - 0.14 * length
    _stow(canvas, rng, (bridge + 2, taper), 0.48 * beam, layers)
    _stow(canvas, rng, (taper + 1, fore), 0.34 * beam, layers)
    house(canvas, vessel, rng, bridge, depth)
    funnel(canvas, vessel, rng, -length / 2 + 0.16 * length if bridge > 0 else bridge - depth - 3)


def paint_roro(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a ro-ro ship or car carrier: one flat roof from bow to stern, rows of vents along its sides."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, [WHITE, (196, 198, 194), (120, 140, 128), (150, 80, 66), (110, 130, 150)])
    hull(canvas, vessel, rng, choose(rng, [*HULLS, WHITE, WHITE]), deck)
    count = int(rng.integers(6, 16))
    x = np.linspace(-0.42 * length, 0.32 * length, count)
    for side in (-1, 1):
        y = np.full(count, side * 0.42 * beam)
        canvas.boxes(np.stack([x - 1.5, x + 1.5, y - 1, y + 1], 1), np.tile(shade(deck, 0.75), (count, 1)), 2.0)
    if maybe(rng, 0.6):
        canvas.box(-0.4 * length, 0.3 * length, -0.6, 0.6, shade(deck, 0.8))
    if maybe(rng, 0.35):  # trailers on an open after deck
        lanes = np.arange(-0.38 * beam, 0.36 * beam, 3.2)
        for start in np.arange(-0.47 * length, -0.1 * length, 16):
            spans = np.stack([lanes * 0 + start, lanes * 0 + start + 13.6, lanes, lanes + 2.5], 1)
            canvas.boxes(spans, np.array([choose(rng, [*BOXES, WHITE, WHITE]) for _ in lanes]), 3.0)
    house(canvas, vessel, rng, length * float(rng.choice([0.38, 0.34, -0.3])), 0.07 * length)
    funnel(canvas, vessel, rng, float(rng.choice([-0.32, -0.2])) * length)
    if maybe(rng, 0.2):
        helideck(canvas, rng, 0.1 * length, 0, 0.3 * beam)


def paint_barge(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a dumb barge: a box with a hold, or a flat deck with some load."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, [*DECKS, (110, 104, 96), (90, 70, 60)])
    hull(canvas, vessel, rng, shade(deck, 0.7), deck)
    if maybe(rng, 0.55):
        canvas.box(-0.44 * length, 0.44 * length, -0.41 * beam, 0.41 * beam, shade(deck, 1.2), 1.0)
        _open_hold(canvas, rng, (-0.43 * length, 0.43 * length), 0.38 * beam)
        return
    for _ in range(int(rng.integers(0, 7))):
        x, y = rng.uniform(-0.4, 0.3) * length, rng.uniform(-0.35, 0.2) * beam
        canvas.box(
            x,
            x + rng.uniform(2, 0.14 * length + 2),
            y,
            y + rng.uniform(1.5, 0.25 * beam + 1.5),
            choose(rng, [*BOXES, *GOODS]),
            2.0,
        )
    canvas.box(-0.47 * length, -0.45 * length, -0.3 * beam, 0.3 * beam, vary(rng, (90, 86, 80)), 0.8)
