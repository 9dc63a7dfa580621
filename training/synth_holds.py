"""Holds: hatch covers in rows, open holds, and the derricks that serve them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.synth_chance import maybe
from training.synth_parts import WHITE, YELLOW, choose, shade
from training.synth_tankers import DECKS

if TYPE_CHECKING:
    from training.synth_canvas import Canvas, Colour
    from training.synth_fleet import Vessel

GOODS: list[Colour] = [(60, 50, 44), (30, 30, 32), (140, 100, 70), (170, 150, 120), (110, 60, 46), (190, 186, 176)]


@dataclass(frozen=True, slots=True)
class Hatches:
    """How the hatches of a ship look."""

    half: float
    """Half their width, as a share of the beam."""
    fill: float
    """Share of the row that they cover, 0 to 1."""
    cover: Colour
    """Colour of the covers."""
    opened: float = 0.0
    """Share of the holds that stand open, 0 to 1."""

    @classmethod
    def usual(cls, rng: np.random.Generator, deck: Colour) -> Hatches:
        """Hatches like those of most bulkers: half the beam wide, of any colour, few of them open."""
        paints = [shade(deck, 1.25), shade(deck, 0.75), *DECKS, (190, 186, 174), (120, 150, 160)]
        half, fill = float(rng.uniform(0.24, 0.36)), float(rng.uniform(0.66, 0.86))
        return cls(half, fill, choose(rng, paints), 0.15 if maybe(rng, 0.7) else 0.7)

    @classmethod
    def plain(cls, rng: np.random.Generator, deck: Colour) -> Hatches:
        """Closed hatches in the paint of the deck, which is then as red, green or grey as a tanker's."""
        return cls(
            float(rng.uniform(0.24, 0.36)), float(rng.uniform(0.7, 0.9)), shade(deck, float(rng.uniform(0.9, 1.12)))
        )

    @classmethod
    def line(cls, rng: np.random.Generator, deck: Colour) -> Hatches:
        """Narrow pale hatches close together: from afar the row looks like a tanker's pipe rack."""
        pale = choose(rng, [(200, 196, 186), (170, 168, 160), shade(deck, 1.5)])
        return cls(float(rng.uniform(0.1, 0.17)), float(rng.uniform(0.84, 0.94)), pale)


def hatches(
    canvas: Canvas, vessel: Vessel, rng: np.random.Generator, span: tuple[float, float], count: int, look: Hatches
) -> list[float]:
    """Draw hatches in a row along the middle; gives the stations between them, m."""
    pitch = (span[1] - span[0]) / count
    half, cover = vessel.beam_m * look.half, look.cover
    for i in range(count):
        x0 = span[0] + (i + (1 - look.fill) / 2) * pitch
        x1 = x0 + look.fill * pitch
        canvas.box(x0 - 0.5, x1 + 0.5, -half - 0.7, half + 0.7, shade(cover, 0.7), 1.0)
        if maybe(rng, look.opened):
            open_hold(canvas, rng, (x0, x1), half)
            continue
        canvas.box(x0, x1, -half, half, cover, 1.2)
        if maybe(rng, 0.5):
            canvas.box(x0, x1, -0.35, 0.35, shade(cover, 0.6))
        else:
            middle = (x0 + x1) / 2
            canvas.box(middle - 0.35, middle + 0.35, -half, half, shade(cover, 0.6))
    return [span[0] + i * pitch for i in range(count + 1)]


def open_hold(canvas: Canvas, rng: np.random.Generator, span: tuple[float, float], half: float) -> None:
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


def derricks(canvas: Canvas, vessel: Vessel, rng: np.random.Generator, stations: list[float], reach_m: float) -> None:
    """A pair of king posts at each station, their booms laid fore and aft over the hatches."""
    beam = vessel.beam_m
    paint = choose(rng, [YELLOW, WHITE, (200, 150, 90), (160, 166, 170)])
    apart, wide = float(rng.uniform(0.08, 0.18)) * beam, max(0.018 * beam, 0.35)
    for x in stations:
        canvas.box(x - wide, x + wide, -apart, apart, shade(paint, 0.9), 4.0)
        for y in (-apart, apart):
            canvas.disc(x, y, 1.6 * wide, paint, 0.6 * beam)
            for way in (-1, 1):
                if maybe(rng, 0.8):
                    end = np.array([x + way * reach_m, y * float(rng.uniform(0.3, 1.6))])
                    canvas.line(np.array([x, y]), end, 1.3 * wide, paint, 3.0)
