"""What stands at a terminal: oil jetties, tank farms, roads, sheds, container yards, quay cranes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.synth_cargo import BOXES
from training.synth_chance import maybe
from training.synth_parts import WHITE, YELLOW, choose, crane, shade, vary
from training.synth_site import Site, rectangle

if TYPE_CHECKING:
    from training.synth_canvas import Canvas, Colour

CONCRETE: list[Colour] = [(150, 146, 138), (128, 126, 120), (164, 156, 140)]
ASPHALT: Colour = (86, 86, 88)
GRASS: list[Colour] = [(74, 88, 54), (92, 92, 62), (110, 98, 72), (126, 112, 86)]
PIPING: list[Colour] = [(190, 188, 182), (120, 118, 114), (160, 110, 80), (206, 204, 200)]
ROOFS: list[Colour] = [WHITE, (196, 198, 200), (140, 146, 152), (150, 90, 74), (90, 110, 130), (176, 166, 148)]


def _platform(canvas: Canvas, rng: np.random.Generator, at: float, half: tuple[float, float]) -> None:
    """Loading platform at the jetty's head: loading arms, a gangway tower, a small house."""
    concrete = choose(rng, CONCRETE)
    canvas.solid(rectangle(-half[0], half[0], at - half[1], at + half[1]), concrete, 5.0)
    for x in np.linspace(-half[0] * 0.6, half[0] * 0.6, 4):  # loading arms fold back over the platform
        canvas.disc(float(x), at + half[1] * 0.3, 0.9, vary(rng, (206, 204, 198)), 12.0)
        canvas.line(
            np.array([x, at + half[1] * 0.3]), np.array([x, at - half[1] * 0.7]), 0.9, choose(rng, [WHITE, YELLOW]), 6.0
        )
    canvas.box(-half[0] * 0.95, -half[0] * 0.7, at - half[1] * 0.8, at - half[1] * 0.2, choose(rng, ROOFS), 4.0)
    if maybe(rng, 0.6):
        crane(canvas, rng, (half[0] * 0.85, at), (half[1] * 2.2, float(rng.uniform(0, 6.28))), 1.6)


def jetty(site: Site, rng: np.random.Generator, root: tuple[float, float], reach_m: float, berth_m: float) -> float:
    """A finger jetty from its root (u, v) on the shore towards the sea, with a T-shaped head for ships of `berth_m`.

    Gives the v of the head's fender line on the sea side, metres.
    """
    wide, deep = float(np.clip(berth_m * 0.06, 9, 18)), float(rng.uniform(7, 11))
    middle = root[1] + reach_m / 2
    head = reach_m / 2  # in the canvas' frame, whose middle is the middle of the trestle

    def paint(canvas: Canvas) -> None:
        deck = choose(rng, CONCRETE)
        road = float(rng.uniform(3.0, 5.0))
        canvas.solid(rectangle(-road, road, -reach_m / 2 - 26, head), deck, 4.0)
        for x in np.linspace(-road * 0.9, road * 0.1, 5):  # the pipe rack beside the roadway
            canvas.box(float(x) - 0.35, float(x) + 0.35, -reach_m / 2 - 6, head, choose(rng, PIPING), 0.0)
        _platform(canvas, rng, head, (wide, deep))
        face = head + deep
        for side in (-1, 1):
            stops = [0.17 * berth_m, 0.3 * berth_m]  # breasting dolphins, then mooring ones set back
            line = face - 2.5
            previous = np.array([side * wide, head])
            for x in stops:
                canvas.solid(
                    rectangle(side * x - 4, side * x + 4, line - 4, line + 2.5), vary(rng, (140, 136, 128)), 4.0
                )
            for share, back in ((0.44, 14), (0.56, 24)):
                x = side * share * berth_m
                spot = np.array([x, face - back])
                along = (spot - previous) / max(float(np.hypot(*(spot - previous))), 1e-6)
                normal = np.array([-along[1], along[0]]) * 0.8
                canvas.solid(
                    np.array([previous + normal, spot + normal, spot - normal, previous - normal]), (150, 150, 146), 4.0
                )
                canvas.solid(rectangle(x - 4, x + 4, face - back - 4, face - back + 4), vary(rng, (146, 142, 134)), 4.0)
                canvas.disc(x, face - back, 0.9, (60, 58, 54), 1.0)
                previous = spot

    site.stamp((root[0], middle), (0.6 * berth_m + 8, reach_m / 2 + 30), 18.0, paint)
    return root[1] + reach_m + deep


def tank(site: Site, rng: np.random.Generator, at: tuple[float, float], radius_m: float, paint: Colour) -> None:
    """A storage tank: a white cylinder with a cone roof, or a floating roof sunk below its rim."""
    tall = float(np.clip(radius_m * rng.uniform(0.6, 1.2), 8, 20))
    floating = maybe(rng, 0.3) and radius_m > 14  # noqa: PLR2004 - floating roofs are for large tanks

    def draw(canvas: Canvas) -> None:
        turns = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        ring = np.stack([np.cos(turns), np.sin(turns)], 1)
        canvas.solid(ring * radius_m, shade(paint, 0.85), tall)
        if floating:
            roof = choose(rng, [(120, 118, 112), (150, 120, 92), (176, 174, 168)])
            canvas.fill(ring * radius_m * 0.96, shade(roof, 0.5))
            move = np.array([canvas.sun_ahead, canvas.sun_right]) * radius_m * 0.1
            canvas.fill(ring * radius_m * 0.85 + move / max(float(np.hypot(*move)) / (radius_m * 0.1), 1), roof)
        else:
            lit = -np.array([canvas.sun_ahead, canvas.sun_right])
            lit = lit / max(float(np.hypot(*lit)), 0.5) * radius_m
            for step, gain in ((0.97, 0.93), (0.75, 0.97), (0.5, 1.02)):
                canvas.fill(ring * radius_m * step + lit * (1 - step) * 0.6, shade(paint, gain))
        turn = float(rng.uniform(0, 6.28))
        canvas.line(ring[0] * 0, np.array([np.cos(turn), np.sin(turn)]) * radius_m, 0.8, shade(paint, 0.7))

    site.stamp(at, (radius_m, radius_m), tall, draw)


def tank_farm(site: Site, rng: np.random.Generator, u: tuple[float, float], v: tuple[float, float]) -> None:
    """Tanks of a few sizes in bunded pads over a rectangle of land."""
    paint = choose(rng, [(226, 226, 220), (226, 226, 220), (206, 206, 198), (120, 150, 130), (196, 182, 160)])
    earth = choose(rng, [(130, 124, 112), (112, 110, 100), (146, 136, 118), (104, 104, 84)])
    start = v[1]
    while start - 50 > v[0]:
        pitch = float(rng.choice([40, 56, 78, 100]))
        share = float(rng.uniform(0.25, 0.4))
        group = int(rng.integers(2, 6))  # tanks in one bund
        left = u[0]
        while left + pitch * group <= u[1]:
            long = pitch * group
            if site.sees((left + long / 2, start - pitch / 2), long) and maybe(rng, 0.85):
                site.area(rng, rectangle(left, left + long, start - pitch, start), shade(earth, 0.82))
                site.area(
                    rng, rectangle(left + 1.5, left + long - 1.5, start - pitch + 1.5, start - 1.5), vary(rng, earth, 4)
                )
                for i in range(group):
                    if maybe(rng, 0.93):
                        spot = (left + (i + 0.5) * pitch, start - pitch / 2)
                        tank(site, rng, spot, pitch * share * float(rng.uniform(0.93, 1.07)), vary(rng, paint, 6))
            left += long + float(rng.choice([5, 9, 16]))
        start -= pitch + float(rng.choice([6, 14, 22]))


def road(site: Site, rng: np.random.Generator, u: tuple[float, float], v: tuple[float, float]) -> None:
    """A paved strip."""
    site.area(rng, rectangle(*u, *v), ASPHALT)


def apron(site: Site, rng: np.random.Generator, u: tuple[float, float], v: float) -> None:
    """Crane rails, lorries and goods on a quay whose edge is at v."""
    half, deep = (u[1] - u[0]) / 2, 40.0

    def draw(canvas: Canvas) -> None:
        canvas.alpha[:] = 0
        for y in (3.0, 21.0):
            canvas.solid(rectangle(-half, half, -y - 0.5, -y + 0.5), (84, 82, 80), 0.0)
        for _ in range(int(half / 5)):
            x, y = float(rng.uniform(-half, half - 20)), -float(rng.uniform(5, deep - 8))
            if maybe(rng, 0.6):
                canvas.solid(
                    rectangle(x, x + float(rng.choice([5, 13])), y, y + 2.6), choose(rng, [*BOXES, WHITE, YELLOW]), 3.0
                )
            else:
                size = rng.uniform(4, 16, 2)
                canvas.solid(
                    rectangle(x, x + size[0], y, y + min(size[1], 7)),
                    choose(rng, [(120, 96, 70), (96, 92, 88), (160, 150, 132)]),
                    2.5,
                )

    site.stamp(((u[0] + u[1]) / 2, v), (half, deep), 3.0, draw)


def sheds(site: Site, rng: np.random.Generator, u: tuple[float, float], v: tuple[float, float]) -> None:
    """Warehouses and small buildings in rows over a rectangle of land, vehicles between them."""
    start = v[1]
    while start - 25 > v[0]:
        deep = float(rng.uniform(18, 55))
        left = u[0]
        while left < u[1] - 20:
            long = float(rng.uniform(15, 110))
            spot = (left + long / 2, start - deep / 2)
            if site.sees(spot, 80) and maybe(rng, 0.75):
                _shed(site, rng, spot, (long * 0.44, deep * float(rng.uniform(0.25, 0.42))))
            left += long + float(rng.uniform(6, 30))
        start -= deep + float(rng.uniform(10, 30))


def _shed(site: Site, rng: np.random.Generator, at: tuple[float, float], half: tuple[float, float]) -> None:
    """One building with a ridge along its roof."""
    roof, tall = choose(rng, ROOFS), float(rng.uniform(5, 16))

    def draw(canvas: Canvas) -> None:
        canvas.solid(rectangle(-half[0], half[0], -half[1], half[1]), roof, tall)
        canvas.box(-half[0], half[0], -half[1], 0, shade(roof, 0.9 if canvas.sun_right < 0 else 1.06))
        for _ in range(int(half[0] / 8)):
            x, y = rng.uniform(-0.8, 0.8) * half[0], rng.uniform(-0.8, 0.8) * half[1]
            canvas.box(x - 1.2, x + 1.2, y - 0.8, y + 0.8, shade(roof, float(rng.choice([0.7, 1.15]))), 1.0)

    site.stamp(at, half, tall, draw)


def container_yard(site: Site, rng: np.random.Generator, u: tuple[float, float], v: tuple[float, float]) -> None:
    """Stacks of boxes in blocks with lanes between them."""
    for top in np.arange(v[1], v[0] + 30, -36):
        for left in np.arange(u[0], u[1] - 80, 92):
            spot = (float(left) + 40, float(top) - 12)
            if site.sees(spot, 60):
                _stack(site, rng, spot)


def _stack(site: Site, rng: np.random.Generator, at: tuple[float, float]) -> None:
    """A block of six rows of boxes, 80 m long."""

    def draw(canvas: Canvas) -> None:
        for x in np.arange(-39.0, 33, 6.5):
            rows = np.arange(-9.0, 8, 3.0)
            rows = np.sort(rng.permutation(rows)[: int(rng.integers(2, len(rows) + 1))])
            if len(rows):
                tall = float(rng.integers(1, 5)) * 2.6
                canvas.solid(rectangle(x, x + 6.1, float(rows[0]), float(rows[-1]) + 2.5), choose(rng, BOXES), tall)
                spans = np.stack([np.full(len(rows), x), np.full(len(rows), x + 6.1), rows, rows + 2.45], 1)
                canvas.boxes(spans, np.array([choose(rng, BOXES) for _ in rows]))

    site.stamp(at, (42, 12), 11.0, draw)


def quay_crane(site: Site, rng: np.random.Generator, at: tuple[float, float], outreach_m: float) -> None:
    """A ship-to-shore gantry: its legs on the quay, its boom out over the ship (the last thing to be drawn)."""
    paint = choose(rng, [(60, 90, 150), (190, 70, 50), WHITE, (70, 140, 150)])
    before = site.blocked.copy() if outreach_m > 0 else None

    def draw(canvas: Canvas) -> None:
        for x in (-8.0, 8.0):
            canvas.solid(rectangle(x - 1, x + 1, -26, -2), paint, 30.0)
        canvas.solid(rectangle(-2.6, -1.4, -40, outreach_m), paint, 2.0)
        canvas.solid(rectangle(1.4, 2.6, -40, outreach_m), paint, 2.0)
        canvas.solid(rectangle(-4, 4, -34, -24), shade(paint, 0.8), 2.0)
        canvas.solid(rectangle(-9, 9, -3, -1.4), paint, 2.0)

    site.stamp(at, (12, outreach_m + 42), 32.0, draw)
    if before is not None:
        site.blocked[:] = before
