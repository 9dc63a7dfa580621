"""Water and ground: base colours, wind sea and swell, sun glint, wakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth_chance import maybe

if TYPE_CHECKING:
    from training.synth_canvas import Colour, Image

Plane = NDArray[np.float32]

WATERS: list[Colour] = [
    (14, 20, 28),  # near black
    (20, 30, 38),
    (22, 38, 52),  # deep blue
    (16, 44, 66),
    (28, 54, 58),  # teal
    (40, 62, 54),  # green harbour
    (54, 74, 60),
    (50, 92, 98),
    (62, 128, 128),  # turquoise shallows
    (88, 96, 78),
    (112, 104, 84),  # muddy river
    (126, 118, 102),
    (96, 104, 108),  # overcast grey
]
_TILE = 512
_FOAM_M = 6.0  # larger pixels average breaking waves away


def tint(rng: np.random.Generator, colour: Colour, spread: float = 5.0) -> NDArray[np.float64]:
    """A colour near the given one, (3,) floats 4 to 250."""
    spread = min(spread, 0.09 * sum(colour) / 3)  # a dark colour must not turn into another hue
    return np.clip(np.array(colour) * rng.uniform(0.8, 1.25) + rng.normal(0, spread, 3), 4, 250)


def cloudiness(rng: np.random.Generator, width: int, height: int, grain_px: float) -> Plane:
    """Smooth noise (height, width) of unit variance or so, with patches of about `grain_px`."""
    shape = max(int(height / grain_px) + 2, 3), max(int(width / grain_px) + 2, 3)
    small = rng.standard_normal(shape, np.float32)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def waves(rng: np.random.Generator, size: int, gsd_m: float) -> Plane:
    """A square of wave slopes (size, size), unit variance, periodic at its edges.

    White noise shaped in the frequency domain: no waves longer than the peak, energy falling with the wave number,
    spread about one direction as the square of the cosine (the usual form of sea spectra), on some isotropic chop.
    """
    peak_m = float(np.exp(rng.uniform(np.log(6), np.log(110))))
    wind = float(rng.uniform(0, np.pi))
    ky = np.fft.fftfreq(size)[:, None] / gsd_m
    kx = np.fft.rfftfreq(size)[None] / gsd_m
    k2 = kx**2 + ky**2
    k2[0, 0] = np.inf
    aligned = (kx * np.cos(wind) + ky * np.sin(wind)) ** 2 / k2
    energy = np.exp(-1 / (k2 * peak_m**2)) * k2 ** (-0.5 * rng.uniform(1.0, 1.9)) * (aligned + rng.uniform(0.05, 0.5))
    noise = np.fft.rfft2(rng.standard_normal((size, size), np.float32))
    field = np.fft.irfft2(noise * np.sqrt(energy), s=(size, size))
    return np.asarray(field / max(float(field.std()), 1e-12), np.float32)


def whitecaps(rng: np.random.Generator, image: Image, gsd_m: float, cover: float) -> None:
    """Break waves all over a picture of water, in place: short streaks along their crests, `cover` their share of it.

    A wind of 10 m/s whitens 1 % of the sea, one of 17 m/s 6 % (3.84e-6 U^3.41: Monahan and O'Muircheartaigh, 1980).
    """
    height, width = image.shape[:2]
    size_m2 = float(rng.uniform(6, 30))
    count = int(min(cover * height * width * gsd_m**2 / size_m2, height * width / 8))
    spots = rng.integers(0, height * width, count)
    strength = rng.uniform(0.3, 1.0, count) * min(size_m2 / gsd_m**2, 1.0)
    plane = np.bincount(spots, strength, height * width).reshape(height, width).astype(np.float32)
    turn, long = float(rng.uniform(0, np.pi)), float(np.clip(size_m2**0.5 * 0.8 / gsd_m, 0.5, 5))
    x, y = np.meshgrid(np.arange(-7, 8), np.arange(-7, 8))
    ahead, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    streak = np.exp(-((ahead / long) ** 2) / 2 - (across / max(0.3 * long, 0.5)) ** 2 / 2).astype(np.float32)
    foam = np.minimum(cv2.filter2D(plane, -1, streak, borderType=cv2.BORDER_REFLECT), 0.9)[..., None]
    image[:] = (image + (np.array([226, 232, 232], np.float32) - image) * foam).astype(np.uint8)


def water(rng: np.random.Generator, width: int, height: int, gsd_m: float, base: Colour | None = None) -> Image:
    """Open water, uint8 RGB (height, width, 3)."""
    colour = tint(rng, base or WATERS[int(rng.integers(len(WATERS)))])
    size = min(_TILE, cv2.getOptimalDFTSize(max(width, height)))
    tile = waves(rng, size, gsd_m)
    repeats = -(-height // size), -(-width // size)
    sea = np.tile(tile, repeats)[:height, :width]
    if max(repeats) > 1:  # a second period hides the first
        other = waves(rng, size - 123, gsd_m)
        sea = (sea + np.tile(other, (-(-height // len(other)), -(-width // len(other))))[:height, :width]) * np.float32(
            0.7
        )
    calm = float(np.exp(rng.uniform(np.log(0.006), np.log(0.09))))
    patch = 1 + np.float32(rng.uniform(0, 0.04)) * cloudiness(rng, width, height, float(rng.uniform(90, 500)) / gsd_m)
    light = (1 + calm * 1.6 * sea) * patch + calm * 0.5 * rng.standard_normal((height, width), np.float32)
    image = light[..., None] * colour.astype(np.float32)
    if maybe(rng, 0.35):  # glint: crests that face the sun
        level = float(rng.uniform(1.4, 2.8))
        image += (np.maximum(sea - level, 0) * float(rng.uniform(15, 90)))[..., None]
    image += cloudiness(rng, width, height, 90 / gsd_m)[..., None] * np.float32(calm * 14)
    sea_now = np.asarray(np.clip(image, 0, 255), np.uint8)
    if maybe(rng, 0.12) and gsd_m < _FOAM_M:
        whitecaps(rng, sea_now, gsd_m, float(np.exp(rng.uniform(np.log(0.001), np.log(0.03)))))
    return sea_now


def ground(rng: np.random.Generator, width: int, height: int, gsd_m: float, base: Colour) -> Image:
    """Land, concrete or asphalt, uint8 RGB (height, width, 3): a colour with patches and grain."""
    colour = tint(rng, base, 1.5).astype(np.float32)
    light = 1 + 0.07 * cloudiness(rng, width, height, 30 / gsd_m) + 0.05 * cloudiness(rng, width, height, 5 / gsd_m)
    light += np.float32(0.03) * rng.standard_normal((height, width), np.float32)
    return np.asarray(np.clip(light[..., None] * colour, 0, 255), np.uint8)


def wake(
    rng: np.random.Generator,
    image: Image,
    stern: tuple[float, float],
    heading: float,
    length_px: float,
    beam_px: float,
    blocked: Image | None = None,
) -> None:
    """Whiten the water behind a vessel under way, in place: the stern's turbulent trail and the bow's two arms.

    Where `blocked` (height, width) is not zero nothing is changed.
    """
    reach = length_px * float(rng.uniform(0.8, 2.5)) + 4 * beam_px
    middle = np.array(stern)
    ahead, right = np.array([np.cos(heading), np.sin(heading)]), np.array([-np.sin(heading), np.cos(heading)])
    bow = middle + ahead * length_px
    tail = middle - ahead * reach
    spread = beam_px * float(rng.uniform(0.6, 1.1))
    shapes = [
        np.array(
            [
                middle - right * beam_px * 0.4,
                middle + right * beam_px * 0.4,
                tail + right * spread,
                tail - right * spread,
            ]
        )
    ]
    arm = float(np.deg2rad(rng.uniform(9, 19)))  # the half angle of a ship's waves is 19.5 degrees at most
    for side in (-1, 1):
        out = -ahead * np.cos(arm) + right * side * np.sin(arm)
        start, end = bow + right * side * beam_px * 0.3, bow + out * length_px * float(rng.uniform(0.8, 1.5))
        wide = max(beam_px * 0.12, 0.7)
        shapes.append(np.array([start, end + right * wide, end - right * wide]))
    points = np.concatenate(shapes)
    low = np.maximum(np.floor(points.min(0)).astype(int) - 3, 0)
    high = np.minimum(np.ceil(points.max(0)).astype(int) + 3, image.shape[1::-1])
    if (high <= low).any():
        return
    width, height = (high - low).tolist()
    mask = np.zeros((height, width), np.float32)
    for shape, strength in zip(shapes, (0.55, 0.4, 0.4), strict=True):
        layer = np.zeros((height, width), np.uint8)
        cv2.fillPoly(layer, [np.rint((shape - low - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        mask = np.maximum(mask, layer.astype(np.float32) * np.float32(strength / 255))
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    behind = -((x - middle[0]) * ahead[0] + (y - middle[1]) * ahead[1])
    fade = np.exp(-np.maximum(behind, 0) / np.float32(reach * 0.4))
    foam = (
        0.7 + 0.3 * cloudiness(rng, width, height, max(beam_px * 0.3, 2)) + 0.25 * cloudiness(rng, width, height, 1.3)
    )
    foam = np.clip(foam, 0, 1)
    soft = cv2.GaussianBlur(mask, (0, 0), max(beam_px * 0.06, 0.6)) * fade * foam * float(rng.uniform(0.5, 1.0))
    region = image[low[1] : high[1], low[0] : high[0]]
    if blocked is not None:
        soft *= blocked[low[1] : high[1], low[0] : high[0]] == 0
    region[:] = (region + (np.array([222, 230, 228]) - region) * soft[..., None]).astype(np.uint8)
