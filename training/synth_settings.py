"""What lies round the vessel of a chip: quays, jetties, piers, other hulls, stones, bridges, wakes.

Vessels of every kind get the same surroundings, so that none of them is a sign of a tanker to what learns from chips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.synth_canvas import Canvas, Image, Sun
from training.synth_cargo import BOXES
from training.synth_chance import maybe
from training.synth_fleet import FLEET, Vessel, launch
from training.synth_parts import WHITE, choose, shade
from training.synth_vessels import draw
from training.synth_water import ground, wake
from training.synth_works import PAVING, ROCK, ribbon

if TYPE_CHECKING:
    from edge.geometry import Floats
    from training.synth_canvas import Colour

QUAYS: list[Colour] = [(150, 146, 136), (122, 120, 114), (98, 98, 98), (170, 158, 134), (112, 100, 86), (74, 74, 76)]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the vessel of a chip lies, and in which light."""

    vessel: Vessel
    at: tuple[float, float]
    """Its middle, px."""
    heading: float
    """Radians from +x towards +y (down)."""
    gsd_m: float
    sun: Sun

    @property
    def ahead(self) -> Floats:
        """Unit vector (2,) towards the bow."""
        return np.array([np.cos(self.heading), np.sin(self.heading)])

    @property
    def right(self) -> Floats:
        """Unit vector (2,) to starboard."""
        return np.array([-np.sin(self.heading), np.cos(self.heading)])


def _cover(rng: np.random.Generator, image: Image, place: Place, shape: Floats, colour: Colour) -> None:
    """Cover a polygon (k, 2) px with ground of a colour, in place."""
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.rint((shape - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    land = ground(rng, width, height, place.gsd_m, colour)
    blend = mask[..., None].astype(np.float32) / 255
    image[:] = (image * (1 - blend) + land * blend).astype(np.uint8)


def _canvas(image: Image, place: Place) -> Canvas:
    """A canvas over the whole chip, in the frame of its vessel."""
    return Canvas((image.shape[1], image.shape[0]), place.at, place.heading, place.gsd_m, place.sun, 2)


def _quay(rng: np.random.Generator, image: Image, place: Place) -> None:
    """Lay a quay or a pier alongside, in place, with sheds and boxes or with storage tanks on it."""
    height, width = image.shape[:2]
    side = float(rng.choice([-1, 1]))
    normal = place.right * side
    face = place.vessel.beam_m / 2 + float(rng.uniform(0.3, 4))
    edge = np.array(place.at) + normal * face / place.gsd_m
    far = 2.0 * (width + height)
    deep = far if maybe(rng, 0.6) else float(rng.uniform(8, 40)) / place.gsd_m
    along, across = place.ahead * far, normal * deep
    shape = np.array([edge - along, edge + along, edge + along + across, edge - along + across])
    _cover(rng, image, place, shape, QUAYS[int(rng.integers(len(QUAYS)))])
    deep_m = min(deep * place.gsd_m, 120.0)
    canvas = _canvas(image, place)
    if deep_m > 60 and maybe(rng, 0.3):  # noqa: PLR2004 - room for tanks
        _tanks(canvas, rng, place, face, side)
    for _ in range(int(rng.integers(2, 14))):
        x, y = rng.uniform(-0.7, 0.7) * place.vessel.length_m, face + rng.uniform(2, max(deep_m - 4, 3))
        long, wide = rng.uniform(3, 30), min(rng.uniform(2, 14), deep_m / 3)
        box = np.array([[x, y], [x + long, y], [x + long, y + wide], [x, y + wide]]) * [1, side]
        canvas.solid(box, choose(rng, [*BOXES, *QUAYS, WHITE, WHITE]), float(rng.uniform(2, 10)))
    canvas.sprite().paste(image, 0, 0)


def _tanks(canvas: Canvas, rng: np.random.Generator, place: Place, face: float, side: float) -> None:
    """A row of storage tanks behind the quay whose edge is `face` m away."""
    radius = float(rng.uniform(6, 22))
    turns = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    ring = np.stack([np.cos(turns), np.sin(turns)], 1) * radius
    paint = choose(rng, [WHITE, (206, 206, 198), (120, 150, 130), (196, 182, 160)])
    y = side * (face + radius + float(rng.uniform(6, 30)))
    for x in np.arange(-0.6 * place.vessel.length_m, 0.6 * place.vessel.length_m, 2.6 * radius).tolist():
        if maybe(rng, 0.3):
            continue
        spot = np.array([x, y + side * float(rng.uniform(0, 4))])
        canvas.solid(ring + spot, paint, float(rng.uniform(8, 18)))
        canvas.fill(ring * 0.9 + spot, shade(paint, float(rng.uniform(0.85, 1.05))))


def _jetty(rng: np.random.Generator, image: Image, place: Place) -> None:
    """Put a jetty's head alongside, in place: a platform with a trestle and its pipes to the shore, dolphins, catwalks.

    Now and then it is the empty one of two: across a basin from the vessel.
    """
    canvas = _canvas(image, place)
    side, length = float(rng.choice([-1, 1])), place.vessel.length_m
    away = float(rng.uniform(1, 4)) if maybe(rng, 0.8) else float(rng.uniform(0.5, 1.5)) * place.vessel.beam_m
    face = side * (place.vessel.beam_m / 2 + away)
    concrete = choose(rng, QUAYS)

    def slab(x0: float, x1: float, y0: float, y1: float) -> None:
        ys = face + side * y0, face + side * y1
        canvas.solid(np.array([[x0, ys[0]], [x1, ys[0]], [x1, ys[1]], [x0, ys[1]]]), concrete, 4.0)

    half, deep = float(rng.uniform(0.04, 0.12)) * length, float(rng.uniform(0.04, 0.1)) * length
    slab(-0.6 * length, 0.6 * length, deep * 0.6, deep * 0.6 + max(0.006 * length, 0.6))
    slab(-half * 0.3, half * 0.3, deep, deep + 3 * length)
    slab(-half, half, 0, deep)
    for share, back in ((0.17, 0.0), (0.3, 0.0), (0.45, deep), (0.58, deep)):  # mooring dolphins stand back
        for end in (-share, share):
            slab((end - 0.015) * length, (end + 0.015) * length, back, back + 0.03 * length)
    canvas.under = concrete
    for x in np.linspace(-0.22, 0.1, int(rng.integers(2, 6))) * half:
        y0, y1 = sorted((face + side * deep, face + side * (deep + 3 * length)))
        canvas.box(x, x + max(0.05 * half, 0.4), y0, y1, choose(rng, [WHITE, (150, 148, 142), (170, 110, 80)]), 0.8)
    for x in np.linspace(-half * 0.7, half * 0.7, 4).tolist():
        inner, outer = np.array([x, face + side * deep * 0.2]), np.array([x, face + side * deep * 0.9])
        canvas.line(inner, outer, 1.0, choose(rng, [WHITE, (206, 176, 80), (90, 90, 92)]), 8.0)
    canvas.sprite().paste(image, 0, 0)


def _neighbour(rng: np.random.Generator, image: Image, place: Place) -> None:
    """Put another hull of any kind alongside, in place: rafted, or a bunker ship or a tug."""
    other = launch(rng, str(rng.choice(list(FLEET))), max(place.vessel.length_m * float(rng.uniform(0.25, 1.1)), 10.0))
    apart = ((place.vessel.beam_m + other.beam_m) / 2 + float(rng.uniform(0.8, 5))) / place.gsd_m
    slide = float(rng.uniform(-0.3, 0.3)) * place.vessel.length_m / place.gsd_m
    x, y = (place.at + place.right * float(rng.choice([-1, 1])) * apart + place.ahead * slide).tolist()
    sprite, _ = draw(rng, other, place.gsd_m, place.heading + float(rng.choice([0, np.pi])), place.sun)
    height, width = sprite.alpha.shape
    sprite.paste(image, round(x) - width // 2, round(y) - height // 2)


def _under_way(rng: np.random.Generator, image: Image, place: Place) -> None:
    """Draw a wake, in place."""
    length, beam = place.vessel.length_m / place.gsd_m, place.vessel.beam_m / place.gsd_m
    x, y = (place.at - place.ahead * length / 2).tolist()
    wake(rng, image, (x, y), place.heading, length, beam)


def _piers(rng: np.random.Generator, image: Image, place: Place) -> None:
    """Put the vessel between finger piers that stand on a cross pier, in place: a berth of a basin or a marina."""
    canvas = _canvas(image, place)
    length, beam = place.vessel.length_m, place.vessel.beam_m
    wide = float(np.clip(rng.uniform(0.08, 0.3) * beam, 0.8, 10))
    pitch = beam + 2 * float(rng.uniform(0.5, 0.25 * beam + 0.6)) + wide
    end = float(rng.choice([-1, 1]))
    inner, outer = end * (0.5 * length + float(rng.uniform(1, 4))), -end * float(rng.uniform(0.1, 0.6)) * length
    concrete = choose(rng, [*QUAYS, (150, 140, 124)])
    x0, x1 = sorted((inner, outer))
    for i in range(-3, 4):
        y = (i + 0.5) * pitch
        canvas.solid(
            np.array([[x0, y - wide / 2], [x1, y - wide / 2], [x1, y + wide / 2], [x0, y + wide / 2]]), concrete, 1.5
        )
    x0, x1 = sorted((inner, inner + end * 2 * wide))
    canvas.solid(np.array([[x0, -4 * pitch], [x1, -4 * pitch], [x1, 4 * pitch], [x0, 4 * pitch]]), concrete, 1.5)
    canvas.sprite().paste(image, 0, 0)


def _stones(rng: np.random.Generator, image: Image, place: Place) -> None:
    """Heap a breakwater along the vessel or across its way, in place."""
    length = place.vessel.length_m
    half = float(np.clip(rng.uniform(0.03, 0.09) * length, 3, 16))
    t = np.linspace(-1, 1, 24)
    away = place.vessel.beam_m / 2 + half * 1.5 + float(rng.uniform(0.02, 0.12)) * length
    lean = float(rng.uniform(-0.25, 0.25))
    line = np.stack([t * 1.2 * length, away + 0.1 * length * t**2 + abs(lean) * length * (1 + np.sign(lean) * t)], 1)
    if maybe(rng, 0.25):
        line = np.stack([0.5 * length + half * 2 + 0.06 * length * t**2 + 2, t * length], 1)
    line[:, 1] *= float(rng.choice([-1, 1]))
    stone = choose(rng, ROCK)
    ragged = ribbon(line, half)
    for shape, colour in (
        (ragged + rng.normal(0, 0.1 * half, ragged.shape), shade(stone, 0.8)),
        (ribbon(line, 0.5 * half), stone),
    ):
        turned = shape[:, :1] * place.ahead + shape[:, 1:] * place.right
        _cover(rng, image, place, place.at + turned / place.gsd_m, colour)


def _bridge(rng: np.random.Generator, image: Image, place: Place) -> None:
    """Lead a bridge over the water ahead or astern, in place."""
    canvas = _canvas(image, place)
    length, half = place.vessel.length_m, float(rng.uniform(4, 16))
    x = float(rng.choice([-1, 1])) * (length * float(rng.uniform(0.5, 0.58)) + half + 2)
    lean, deck = float(rng.uniform(-0.06, 0.06)), choose(rng, PAVING)
    line = np.array([[x - lean * length, -2.0 * length], [x + lean * length, 2.0 * length]])
    canvas.solid(ribbon(line, half), shade(deck, 1.25), float(rng.uniform(6, 40)))
    canvas.fill(ribbon(line, half * 0.86), deck)
    for _ in range(int(rng.integers(0, 12))):
        at = line[0] + (line[1] - line[0]) * float(rng.uniform(0.2, 0.8)) + [float(rng.uniform(-0.6, 0.6)) * half, 0]
        canvas.line(at, at + np.array([0, float(rng.choice([4.5, 12.0]))]), 2.2, choose(rng, [*BOXES, WHITE]), 1.5)
    canvas.sprite().paste(image, 0, 0)


_SETTINGS = (
    (0.2, _quay),
    (0.13, _jetty),
    (0.13, _neighbour),
    (0.14, _under_way),
    (0.05, _piers),
    (0.05, _stones),
    (0.04, _bridge),
)  # the rest: open water


def surround(rng: np.random.Generator, image: Image, place: Place) -> None:
    """Draw one kind of surroundings, or none, on the water (height, width, 3) of a chip, in place."""
    chance = float(rng.random())
    for share, setting in _SETTINGS:
        if 0 <= chance < share:
            setting(rng, image, place)
        chance -= share
