"""Tankers for oil and chemicals.

A flat deck with a pipe rack along the middle, a manifold across it amidships, tank hatches, the house aft.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.synth_chance import maybe
from training.synth_parts import (
    HULLS,
    WHITE,
    YELLOW,
    aft_house,
    choose,
    crane,
    forecastle,
    frames,
    helideck,
    hull,
    shade,
    vary,
)

if TYPE_CHECKING:
    from training.synth_canvas import Canvas, Colour
    from training.synth_fleet import Vessel

DECKS: list[Colour] = [
    (122, 62, 50),  # red oxide
    (140, 80, 58),
    (150, 58, 66),
    (72, 96, 74),  # green
    (84, 120, 100),
    (58, 74, 66),
    (122, 122, 118),  # grey
    (156, 152, 144),
    (92, 96, 100),
    (172, 140, 92),  # ochre
    (178, 168, 148),  # buff
    (72, 92, 112),  # blue grey
]
PALE: list[Colour] = [(206, 202, 190), (216, 206, 186), (192, 198, 198), (198, 184, 178)]  # sun-bleached or near white
PIPES: list[Colour] = [
    (196, 192, 182),
    (150, 148, 142),
    (170, 70, 56),
    (206, 176, 80),
    (100, 104, 106),
    (226, 224, 216),
]


def pipe_rack(canvas: Canvas, vessel: Vessel, rng: np.random.Generator, span: tuple[float, float]) -> float:
    """Pipes and a catwalk fore and aft along the middle; gives half the width of the rack, m."""
    half = vessel.beam_m * float(rng.uniform(0.035, 0.1))
    if maybe(rng, 0.75):
        canvas.box(*span, -half, half, shade(canvas.under, float(rng.choice([0.55, 0.7, 1.25, 1.5]))), 1.2)
    count = int(np.clip(half * 2 / 1.6, 3, 9))
    y = np.linspace(-half, half, count) * 0.9
    width = np.clip(rng.uniform(0.4, 1.1, count), 0.012 * vessel.beam_m, 1.1) / 2
    ends = np.stack(
        [span[0] + rng.uniform(0, 0.04, count), span[1] - rng.uniform(0, 0.12, count) * (span[1] - span[0])], 1
    )
    paint = [choose(rng, PIPES) for _ in range(count)]
    canvas.boxes(np.stack([ends[:, 0], ends[:, 1], y - width, y + width], 1), np.array(paint))
    if maybe(rng, 0.8):  # the catwalk stands higher than the pipes
        beside = float(rng.choice([-1, 1])) * half * float(rng.uniform(0, 1.2))
        wide = max(0.02 * vessel.beam_m, 0.5)
        canvas.box(
            *span,
            beside - wide,
            beside + wide,
            choose(rng, [(200, 200, 192), YELLOW, (150, 150, 150), (110, 60, 50)]),
            2.5,
        )
    return half


def manifold(canvas: Canvas, vessel: Vessel, rng: np.random.Generator, x: float) -> None:
    """Crossing pipes from rail to rail at station x with drip trays at their ends and one or two hose cranes."""
    beam = vessel.beam_m
    count = int(rng.integers(3, 7))
    pitch = float(np.clip(0.011 * vessel.length_m, 1.2, 3.2))
    half = count * pitch / 2
    if maybe(rng, 0.6):
        canvas.box(
            x - half, x + half, -0.44 * beam, 0.44 * beam, shade(canvas.under, float(rng.choice([0.6, 0.75, 1.3])))
        )
    stations = x + (np.arange(count) - (count - 1) / 2) * pitch
    wide = np.clip(0.32 * pitch, 0.35, 0.9)
    reach = beam * float(rng.uniform(0.38, 0.44))
    rows = np.stack([stations - wide, stations + wide, np.full(count, -reach), np.full(count, reach)], 1)
    contrast = float(rng.uniform(0.25, 1.0))  # pipes painted like the deck are hard to see
    plain = np.array(canvas.under)
    tones = np.array([choose(rng, PIPES) for _ in range(count)])
    canvas.boxes(rows, (plain + (tones - plain) * contrast).astype(int), 1.5)
    tray = choose(
        rng, [(70, 66, 62), (186, 182, 172), (140, 60, 48), shade(canvas.under, 0.75), shade(canvas.under, 1.2)]
    )
    for side in (-1, 1):
        a, b = sorted((side * 0.36 * beam, side * 0.45 * beam))
        canvas.box(x - half, x + half, a, b, tray, 1.0)
    size = float(np.clip(0.06 * beam, 0.8, 2.6))
    boom = vessel.length_m * float(rng.uniform(0.05, 0.11))
    for rail in (-1.0, 1.0) if maybe(rng, 0.55) else (float(rng.choice([-1, 1, 0])),):
        lean = float(rng.choice([0, np.pi])) + float(rng.normal(0, 0.12 if maybe(rng, 0.7) else 0.7))
        crane(canvas, rng, (x + float(rng.uniform(-1, 1)) * half, rail * beam * 0.2), (boom, lean), size)


def tank_tops(canvas: Canvas, vessel: Vessel, rng: np.random.Generator, span: tuple[float, float]) -> None:
    """Hatches, vents and cleaning openings of the cargo tanks, in pairs along both sides."""
    beam = vessel.beam_m
    pairs = int(rng.integers(9, 17)) if vessel.name == "chemical" else int(rng.integers(5, 9))
    pitch = (span[1] - span[0]) / pairs
    radius = float(np.clip(0.03 * beam, 0.6, 1.5))
    hatch = choose(rng, [(206, 202, 190), shade(canvas.under, 0.6), shade(canvas.under, 1.4), (190, 90, 60)])
    lane = float(rng.uniform(0.2, 0.32))
    for i in range(pairs):
        at = span[0] + (i + 0.5) * pitch
        for side in (-1, 1):
            canvas.disc(at, side * lane * beam, radius, hatch, 1.0)
    extra = pairs * int(rng.integers(3, 14))
    x, y = rng.uniform(*span, extra), rng.choice([-1, 1], extra) * rng.uniform(0.13, 0.44, extra) * beam
    size = rng.uniform(0.4, 1.2, extra) * np.clip(beam / 32, 0.5, 1.3)
    tones = np.array([choose(rng, [*PIPES, (60, 56, 54)]) for _ in range(extra)])
    canvas.boxes(np.stack([x - size, x + size, y - size, y + size], 1), tones)
    for share in (
        float(rng.uniform(0.12, 0.3)),
        float(rng.uniform(0.38, 0.46)),
    ):  # pipes, rails or walkways along both sides
        tone, wide = choose(rng, PIPES), float(rng.uniform(0.25, 0.6))
        if maybe(rng, 0.5):
            for y0 in (-share * beam, share * beam):
                canvas.box(*span, y0 - wide, y0 + wide, tone)


def _bow_loading(canvas: Canvas, vessel: Vessel, rng: np.random.Generator, bow: float) -> None:
    """What a shuttle tanker takes oil in by, far from any jetty: a loading house on its bow, a helideck behind it."""
    length, beam = vessel.length_m, vessel.beam_m
    canvas.box(bow + 0.012 * length, bow + 0.04 * length, -0.16 * beam, 0.16 * beam, vary(rng, WHITE), 6.0)
    canvas.box(bow + 0.04 * length, bow + 0.055 * length, -0.05 * beam, 0.05 * beam, choose(rng, PIPES), 3.0)
    helideck(canvas, rng, bow - 0.06 * length, float(rng.choice([-1, 0, 1])) * 0.18 * beam, 0.22 * beam)


def _fittings(canvas: Canvas, vessel: Vessel, rng: np.random.Generator, span: tuple[float, float]) -> None:
    """All that stands on a tanker's deck between the house and the forecastle."""
    length, beam = vessel.length_m, vessel.beam_m
    middle = float(rng.uniform(-0.05, 0.06)) * length
    tank_tops(canvas, vessel, rng, span)
    pipe_rack(canvas, vessel, rng, span)
    manifold(canvas, vessel, rng, middle)
    if length > 140 and maybe(rng, 0.35):  # noqa: PLR2004 - smaller ones have no room
        side = float(rng.choice([-1, 1])) * 0.27 * beam
        helideck(canvas, rng, middle + float(rng.choice([-0.16, 0.17])) * length, side, 0.14 * beam)
    if maybe(rng, 0.4):  # a small deck house or store ahead of the accommodation
        x = span[0] + 0.04 * length
        canvas.box(x, x + 0.02 * length, -0.16 * beam, 0.05 * beam, vary(rng, WHITE), 3.0)


def paint_tanker(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a tanker for oil or chemicals; now and then a pale one, or one whose fittings are painted like its deck."""
    length = vessel.length_m
    deck = choose(rng, PALE if maybe(rng, 0.12) else DECKS)
    side = choose(rng, HULLS) if maybe(rng, 0.7) else shade(deck, float(rng.uniform(1.2, 1.6)))
    hull(canvas, vessel, rng, side, deck)
    bow = forecastle(canvas, vessel, rng, deck)
    span = (-length / 2 + 0.17 * length, bow - 0.015 * length)
    if maybe(rng, 0.6):
        frames(canvas, vessel, rng, span, deck)
    _fittings(canvas, vessel, rng, span)
    if vessel.name == "shuttle":
        _bow_loading(canvas, vessel, rng, bow)
    if maybe(rng, 0.2):
        canvas.mute(float(rng.uniform(0.3, 0.7)))
    aft_house(canvas, vessel, rng)
