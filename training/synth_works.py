"""What people build on water that is no vessel: breakwaters, bridges, fish pens, buoys with their hoses.

Hard negatives: they are long, straight, bright or full of pipes, and carry no label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.synth_cargo import BOXES
from training.synth_chance import maybe
from training.synth_parts import ORANGE, WHITE, YELLOW, choose, shade, vary
from training.synth_site import Site, rectangle

if TYPE_CHECKING:
    from edge.geometry import Floats
    from training.synth_canvas import Canvas, Colour

ROCK: list[Colour] = [(128, 120, 108), (104, 100, 96), (150, 140, 122), (84, 80, 76)]
PAVING: list[Colour] = [(150, 148, 142), (110, 110, 110), (84, 84, 86), (170, 164, 150)]
_TRIES = 8


def ribbon(line: Floats, half_m: float) -> Floats:
    """The outline (2 k, 2) of a strip along a line (k, 2), `half_m` to each side."""
    along = np.gradient(line, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], 1) / np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    return np.concatenate([line + normal * half_m, (line - normal * half_m)[::-1]])


def _free(site: Site, outline: Floats, allowed: float = 0.0) -> bool:
    """Whether an outline (k, 2) m lies on water, but for a share of what of it is in the picture."""
    mask = np.zeros(site.blocked.shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(site.px(outline)).astype(np.int32)], 1)
    covered = int(mask.sum())
    return covered > 0 and int((site.blocked * mask > 0).sum()) <= allowed * covered


def breakwater(site: Site, rng: np.random.Generator, from_v: float) -> bool:
    """Heap up a bent bank of stones that starts at the shore, or lies off it; tells whether there was room."""
    long, deep = site.extent_m
    for _ in range(_TRIES):
        u0, way = float(rng.uniform(-0.5, 0.5)) * long, float(rng.choice([-1, 1]))
        reach, turn = float(rng.uniform(0.2, 0.5)) * deep, float(rng.uniform(0.2, 1.2))
        t = np.linspace(0, 1, 24)
        bend = turn * t**2
        steps = np.stack([np.sin(bend) * way, np.cos(bend)], 1) * reach / 24
        root = from_v - 6 if maybe(rng, 0.7) else float(rng.uniform(from_v, 0.3 * deep))
        line = np.array([u0, root]) + np.cumsum(steps, 0)
        half = float(rng.uniform(6, 14))
        if not _free(site, ribbon(line, half), 0.1):
            continue
        stone = choose(rng, ROCK)
        ragged = ribbon(line, half)
        site.area(rng, ragged + rng.normal(0, 0.12 * half, ragged.shape), shade(stone, 0.85))
        site.area(rng, ribbon(line, half * 0.6), stone)
        if maybe(rng, 0.6):
            site.area(rng, ribbon(line, half * 0.25), choose(rng, PAVING))
        return True
    return False


def bridge(site: Site, rng: np.random.Generator, from_v: float) -> None:
    """Lead a road over the water, from one edge of the picture to another, with its shadow, its lines and its cars."""
    long, deep = site.extent_m
    v, tilt = float(rng.uniform(from_v, max(from_v + 10, 0.42 * deep))), float(rng.uniform(-0.25, 0.25))
    ends = np.array([[-long, v - tilt * long], [long, v + tilt * long]])
    half, tall = float(rng.uniform(5, 16)), float(rng.uniform(8, 45))
    shadow = np.zeros(site.blocked.shape, np.uint8)
    fall = site.px(ribbon(ends, half)) + site.sun.offset * tall / site.gsd_m
    cv2.fillPoly(shadow, [np.rint((fall - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    dark = 1 - 0.5 * (shadow[..., None] / np.float32(255)) * (site.blocked == 0)[..., None]
    site.image[:] = (site.image * dark).astype(np.uint8)
    deck = choose(rng, PAVING)
    site.area(rng, ribbon(ends, half), shade(deck, 1.25))
    site.area(rng, ribbon(ends, half - 0.9), deck)
    along = (ends[1] - ends[0]) / float(np.hypot(*(ends[1] - ends[0])))
    side = np.array([-along[1], along[0]])
    for _ in range(int(rng.integers(5, 40))):
        at = (
            along * float(rng.uniform(-0.6, 0.6)) * long
            + np.array([0, v])
            + side * float(rng.uniform(-0.7, 0.7)) * half
        )
        car = ribbon(np.array([at, at + along * float(rng.choice([4.5, 4.5, 12.0]))]), 1.1)
        site.area(rng, car, choose(rng, [*BOXES, WHITE, (40, 40, 42)]))


def fish_pens(site: Site, rng: np.random.Generator, at: tuple[float, float]) -> None:
    """Moor round or square cages in two rows about a point (u, v)."""
    count, radius, square = int(rng.integers(2, 7)), float(rng.uniform(7, 20)), maybe(rng, 0.3)
    paint, thick = choose(rng, [(60, 62, 64), (40, 42, 44), YELLOW]), max(0.08 * radius, 0.8)
    turns = np.linspace(0, 2 * np.pi, 5 if square else 29)
    ring = np.stack([np.cos(turns + np.pi / 4), np.sin(turns + np.pi / 4)], 1)
    hoop = np.concatenate([ring * radius, ring[::-1] * (radius - thick)])

    def draw(canvas: Canvas) -> None:
        for i in range(count):
            for row in (-1, 1):
                spot = np.array([(i - (count - 1) / 2) * 2.5 * radius, row * 1.3 * radius])
                canvas.solid(hoop + spot, paint, 0.8)
                if maybe(rng, 0.5):
                    canvas.solid(ring * 1.2 + spot, choose(rng, [WHITE, ORANGE]), 1.0)

    site.stamp(at, (1.3 * count * radius, 2.6 * radius), 1.0, draw)


def buoy(site: Site, rng: np.random.Generator, at: tuple[float, float]) -> None:
    """Moor a loading buoy (u, v) for tankers that is not in use, its floating hose drifting from it in a curve."""
    long, bend = float(rng.uniform(120, 280)), float(rng.normal(0, 0.9))
    t = np.linspace(0, 1, 30)
    turn = float(rng.uniform(0, 2 * np.pi)) + bend * t
    line = np.cumsum(np.stack([np.cos(turn), np.sin(turn)], 1) * long / 30, 0)
    disc = np.stack([np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)], 1) * float(rng.uniform(5, 7))
    paint = choose(rng, [ORANGE, YELLOW, (180, 60, 50)])

    def draw(canvas: Canvas) -> None:
        hose = vary(rng, (44, 44, 46))
        for i in range(len(line) - 1):
            canvas.solid(ribbon(line[i : i + 2], 1.0), ORANGE if i % 5 == 0 else hose, 0.3)
        canvas.solid(disc, paint, 3.0)
        canvas.box(-2.0, 2.0, -1.0, 1.0, shade(paint, 0.6), 2.0)

    site.stamp(at, (long, long), 5.0, draw)


def pontoons(site: Site, rng: np.random.Generator, u: tuple[float, float], v: float) -> None:
    """Finger piers for small boats, square to a pier along u at v, to both sides of it."""
    reach, pitch = float(rng.uniform(8, 16)), float(rng.uniform(7, 14))
    paint = choose(rng, [(150, 140, 124), (176, 172, 164), (120, 112, 100)])

    def draw(canvas: Canvas) -> None:
        half = (u[1] - u[0]) / 2
        for x in np.arange(-half, half, pitch).tolist():
            canvas.solid(rectangle(x, x + 1.2, -reach, reach), paint, 0.7)

    site.stamp(((u[0] + u[1]) / 2, v), ((u[1] - u[0]) / 2 + 2, reach + 1), 1.0, draw)


def build_works(site: Site, rng: np.random.Generator, shore_v: float, open_v: float) -> None:
    """Build a few of these, in place: breakwaters from the shore line `shore_v`, the others beyond `open_v`, metres."""
    deep, long = site.extent_m[1], site.extent_m[0]
    from_v = max(open_v, -deep / 2)
    if np.isfinite(shore_v) and maybe(rng, 0.25):
        breakwater(site, rng, shore_v)
    if maybe(rng, 0.1):
        bridge(site, rng, from_v)
    for put, share, size in ((fish_pens, 0.12, 60.0), (buoy, 0.12, 20.0)):
        at = (float(rng.uniform(-0.45, 0.45)) * long, float(rng.uniform(from_v, max(from_v + 1, 0.45 * deep))))
        room = rectangle(at[0] - size, at[0] + size, at[1] - size, at[1] + size)
        if maybe(rng, share) and _free(site, room):
            put(site, rng, at)
