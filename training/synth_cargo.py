"""Ships that carry packed goods: general cargo, fruit, containers, vehicles; and river coasters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.synth_chance import maybe
from training.synth_holds import Hatches, derricks, hatches, open_hold
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
COVERS: list[Colour] = [(122, 62, 50), (140, 80, 58), (96, 108, 112), (150, 148, 140), (84, 110, 96), (178, 168, 148)]


def paint_cargo(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a general cargo ship: two to five long hatches, cranes at one side or between, or derricks on king posts."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, DECKS)
    hull(canvas, vessel, rng, choose(rng, HULLS), deck)
    bow = forecastle(canvas, vessel, rng, deck)
    front = aft_house(canvas, vessel, rng)
    count = int(rng.integers(2, 6))
    span = (front + 0.01 * length, bow - 0.01 * length)
    look = (Hatches.plain if maybe(rng, 0.2) else Hatches.usual)(rng, deck)
    gaps = hatches(canvas, vessel, rng, span, count, look)
    if maybe(rng, 0.3):
        _stow(canvas, rng, span, 0.36 * beam, layers=1)
    chance = float(rng.random())
    if chance < 0.3:  # noqa: PLR2004 - shares of the fleet
        derricks(canvas, vessel, rng, gaps[1:-1], length / count * 0.42)
    elif chance < 0.75:  # noqa: PLR2004
        side = float(rng.choice([-0.4, 0.0, 0.4])) * beam
        for x in gaps[1:-1]:
            lean = float(rng.choice([0, np.pi])) + float(rng.normal(0, 0.15))
            crane(canvas, rng, (x, side), (length / count * 0.7, lean), max(0.1 * beam, 1.2))


def paint_reefer(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a ship for fruit and frozen goods: pale, slender, four small hatches, derricks or cranes."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, [*DECKS[6:11], (206, 202, 190), (120, 150, 130)])
    hull(canvas, vessel, rng, vary(rng, WHITE), deck)
    bow = forecastle(canvas, vessel, rng, deck)
    front = aft_house(canvas, vessel, rng)
    span = (front + 0.02 * length, bow - 0.02 * length)
    look = Hatches(float(rng.uniform(0.16, 0.24)), float(rng.uniform(0.45, 0.65)), choose(rng, [WHITE, *DECKS]))
    gaps = hatches(canvas, vessel, rng, span, 4, look)
    if maybe(rng, 0.4):
        _stow(canvas, rng, span, 0.3 * beam, layers=2)
    if maybe(rng, 0.6):
        derricks(canvas, vessel, rng, gaps[1:], 0.08 * length)
        return
    for x in gaps[1:-1]:
        crane(canvas, rng, (x, 0), (0.12 * length, float(rng.choice([0, np.pi]))), 0.09 * beam)


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
            open_hold(canvas, rng, (x0, x1), half)
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


def _lids(canvas: Canvas, rng: np.random.Generator, span: tuple[float, float], half: float) -> None:
    """Hatch covers of a container ship without its boxes: plates across the ship, three or four abreast."""
    cover = shade(canvas.under, float(rng.uniform(0.85, 1.2))) if maybe(rng, 0.5) else choose(rng, COVERS)
    abreast = int(rng.integers(3, 5))
    edges = np.linspace(-half, half, abreast + 1)
    for x in np.arange(span[0], span[1] - 12.2, 14.2).tolist():
        canvas.box(x - 0.4, x + 13.0, -half - 0.4, half + 0.4, shade(cover, 0.6), 1.5)
        tones = np.array([shade(cover, float(g)) for g in rng.uniform(0.93, 1.07, abreast)])
        spans = np.stack([np.full(abreast, x), np.full(abreast, x + 12.4), edges[:-1] + 0.25, edges[1:] - 0.25], 1)
        canvas.boxes(spans, tones)


def _bays(canvas: Canvas, rng: np.random.Generator, span: tuple[float, float], half: float, layers: int) -> None:
    """One part of a container ship's deck, with boxes up to `layers` high; 0: bare."""
    if layers:
        _stow(canvas, rng, span, half, layers)
    else:
        _lids(canvas, rng, span, half)


def paint_container(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a container ship: bays of boxes before and behind the bridge; one in four is empty or half so."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, DECKS)
    hull(canvas, vessel, rng, choose(rng, HULLS), deck)
    bow = forecastle(canvas, vessel, rng, deck)
    bridge = -length / 2 + length * float(rng.choice([0.16, 0.28, 0.66] if length > 180 else [0.16]))  # noqa: PLR2004
    depth = float(np.clip(0.045 * length, 6, 14))
    layers = int(np.clip(length / 45, 1, 7))
    fore = bow - 0.02 * length
    taper = fore - 0.14 * length
    bare = 0.0 if maybe(rng, 0.75) else float(rng.choice([0.5, 1.0]))
    for span, half in (
        ((-length / 2 + 0.03 * length, bridge - depth - 2), 0.46),
        ((bridge + 2, taper), 0.48),
        ((taper + 1, fore), 0.34),
    ):
        _bays(canvas, rng, span, half * beam, 0 if maybe(rng, bare) else layers)
    house(canvas, vessel, rng, bridge, depth)
    funnel(canvas, vessel, rng, -length / 2 + 0.16 * length if bridge > 0 else bridge - depth - 3)


def paint_car_carrier(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a car carrier: a box with a flat roof and rows of vents, a low bridge right ahead, a ramp aft."""
    length, beam = vessel.length_m, vessel.beam_m
    roof = choose(rng, [WHITE, (196, 198, 194), (120, 140, 128), (150, 80, 66), (110, 130, 150), (140, 70, 60)])
    hull(canvas, vessel, rng, choose(rng, [*HULLS, WHITE, WHITE]), roof)
    seams = np.arange(-0.46 * length, 0.36 * length, float(rng.uniform(9, 16)))
    full = np.full(len(seams), 0.47 * beam)
    canvas.boxes(np.stack([seams - 0.25, seams + 0.25, -full, full], 1), np.tile(shade(roof, 0.85), (len(seams), 1)))
    count, lane = int(rng.integers(5, 14)), float(rng.choice([0.4, 0.4, 0.2]))
    x = np.linspace(-0.42 * length, 0.3 * length, count)
    tall, wide = float(rng.uniform(0.8, 2.2)), float(rng.uniform(0.8, 2.0))
    for side in (-1, 1):
        y = np.full(count, side * lane * beam)
        canvas.boxes(np.stack([x - tall, x + tall, y - wide, y + wide], 1), np.tile(shade(roof, 0.75), (count, 1)), 2.5)
    bridge = float(rng.uniform(0.4, 0.44)) * length
    canvas.box(bridge - 0.05 * length, bridge, -0.3 * beam, 0.3 * beam, vary(rng, WHITE), 3.0)
    canvas.box(bridge - 0.012 * length, bridge, -0.49 * beam, 0.49 * beam, shade(WHITE, 1.04), 1.5)
    funnel(canvas, vessel, rng, float(rng.uniform(-0.4, -0.2)) * length)
    ramp = float(rng.choice([-1, 1])) * 0.25 * beam
    canvas.box(-0.5 * length, -0.46 * length, ramp - 0.14 * beam, ramp + 0.14 * beam, shade(roof, 0.55), 4.0)


def paint_roro(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a ro-ro ship: one flat roof from bow to stern, rows of vents along its sides."""
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
