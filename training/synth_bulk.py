"""Bulk carriers: seagoing ones with and without cranes, and self-unloaders of the Great Lakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.synth_chance import maybe
from training.synth_holds import Hatches, hatches
from training.synth_parts import HULLS, WHITE, aft_house, choose, crane, forecastle, hull, shade
from training.synth_tankers import DECKS

if TYPE_CHECKING:
    from training.synth_canvas import Canvas
    from training.synth_fleet import Vessel

_GEARED_M = 215.0  # larger bulkers are served from the shore


def paint_bulker(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a bulk carrier: five to nine hatches, often cranes between them when it is not large.

    Two in five are hard to tell from tankers: hatches painted like the deck, or a narrow row of them.
    """
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, DECKS[:3] if maybe(rng, 0.3) else DECKS)
    hull(canvas, vessel, rng, choose(rng, HULLS) if maybe(rng, 0.7) else shade(deck, 1.3), deck)
    bow = forecastle(canvas, vessel, rng, deck)
    chance = float(rng.random())
    look = (Hatches.plain if chance < 0.25 else Hatches.line if chance < 0.4 else Hatches.usual)(rng, deck)  # noqa: PLR2004
    count = int(np.clip(round(length / 31 + rng.normal(0, 0.7)), 5, 9))
    front = -0.32 * length
    gaps = hatches(canvas, vessel, rng, (front + 0.015 * length, bow - 0.005 * length), count, look)
    if length < _GEARED_M and maybe(rng, 0.6):
        size = float(np.clip(0.09 * beam, 1.5, 3.4))
        for x in gaps[1:-1] if maybe(rng, 0.6) else gaps[1:-1:2]:
            lean = float(rng.choice([0, np.pi])) + float(rng.normal(0, 0.15))
            crane(canvas, rng, (x, 0), (length / count * 0.85, lean), size)
    if maybe(rng, 0.12):
        canvas.mute(float(rng.uniform(0.3, 0.6)))
    aft_house(canvas, vessel, rng)


def paint_laker(canvas: Canvas, vessel: Vessel, rng: np.random.Generator) -> None:
    """Draw a lake freighter: many narrow hatches, and an unloading boom along the middle like a pipe rack."""
    length, beam = vessel.length_m, vessel.beam_m
    deck = choose(rng, [*DECKS[:3], (120, 70, 60), (110, 112, 108)])
    hull(canvas, vessel, rng, choose(rng, HULLS), deck)
    forecastle(canvas, vessel, rng, deck)
    look = Hatches(
        float(rng.uniform(0.28, 0.36)), float(rng.uniform(0.45, 0.6)), shade(deck, float(rng.uniform(0.8, 1.3)))
    )
    hatches(canvas, vessel, rng, (-0.32 * length, 0.4 * length), int(rng.integers(18, 27)), look)
    paint = choose(rng, [WHITE, (150, 148, 142), (180, 80, 60), (206, 176, 80)])
    root, reach = -0.3 * length, float(rng.uniform(0.36, 0.42)) * length
    wide = max(0.06 * beam, 1.0)
    canvas.box(root, root + reach, -wide, wide, shade(paint, 0.75), 5.0)
    canvas.box(root, root + reach, -wide * 0.3, wide * 0.3, paint)
    canvas.disc(root, 0, 0.12 * beam, paint, 9.0)
    aft_house(canvas, vessel, rng)
