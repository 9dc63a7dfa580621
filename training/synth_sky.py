"""The air over a scene: clouds with their shadows, and haze. What clouds hide cannot be counted.

A sky has no labels. `hidden` tells how much of each vessel opaque cloud covers, so that a caller can drop the label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth_chance import maybe
from training.synth_water import cloudiness

if TYPE_CHECKING:
    from edge.geometry import Floats
    from training.synth_canvas import Image, Sun

Plane = NDArray[np.float32]

OPAQUE = 0.75
"""Cloud of at least this opacity lets nobody say what is below."""
HIDDEN = 0.6
"""A vessel with more than this share of its hull under opaque cloud has no label."""
_DARKEST = 0.55  # what the shadow of a cloud takes of the light: the blue sky is left
_COARSE_PX = 4  # clouds are smooth: their field is drawn in cells of that size


@dataclass(frozen=True, slots=True, eq=False)
class Sky:
    """What lies between the ground and the sensor."""

    opacity: Plane
    """Of the clouds, 0 to 1, with shape (height, width)."""
    shadow: Plane
    """How much of the clouds' shadow falls on a place, 0 to 1, with shape (height, width)."""
    veil: Plane
    """Share of haze in what the sensor sees, 0 to 1, with shape (height, width)."""
    tops: Plane
    """Brightness of the clouds, 8-bit steps, with shape (height, width)."""

    def over(self, image: Image) -> Image:
        """The picture, uint8 RGB (height, width, 3), as it is seen through this sky."""
        light = (1 - np.float32(_DARKEST) * self.shadow * (1 - self.opacity))[..., None]
        air = self.veil[..., None]
        seen = image * light * (1 - air) + air * np.array([176, 186, 196], np.float32)
        cloud = self.opacity[..., None]
        tops = self.tops[..., None] * np.array([0.985, 0.993, 1.0], np.float32)
        return np.asarray(np.clip(seen * (1 - cloud) + tops * cloud + 0.5, 0, 255), np.uint8)


def _billows(rng: np.random.Generator, size: tuple[int, int], grain_px: float) -> Plane:
    """Noise (height, width) of unit variance whose detail halves from octave to octave, as of cumulus."""
    width, height = size
    total, power, grain, weight = np.zeros((height, width), np.float32), 0.0, grain_px, 1.0
    while grain > 1.5 and weight > 0.05:  # noqa: PLR2004 - finer than a cell, or too faint
        total += np.float32(weight) * cloudiness(rng, width, height, grain)
        power += weight**2
        grain, weight = grain / 2, weight * 0.55
    return np.asarray(total / max(np.sqrt(power), 1e-6), np.float32)


def _opacity(thickness: Plane) -> Plane:
    """Opacity of cloud, whose edge is where the thickness is 0: wisps outside, no view inside."""
    t = np.clip(thickness / np.float32(0.7) + np.float32(0.4), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _enlarged(plane: Plane, size: tuple[int, int]) -> Plane:
    """Cells -> pixels, of a picture of `size` (width, height) px."""
    full = (plane.shape[1] * _COARSE_PX, plane.shape[0] * _COARSE_PX)
    return np.asarray(cv2.resize(plane, full, interpolation=cv2.INTER_LINEAR)[: size[1], : size[0]], np.float32)


def cloudy(rng: np.random.Generator, size: tuple[int, int], gsd_m: float, sun: Sun, cover: float) -> Sky:
    """Broken cloud over a picture of `size` (width, height) px, `cover` 0 to 1 its share; shadows lie where they fall.

    Clouds float 0.4 to 2 km up: a shadow may lie far from its cloud, or come from one outside the picture.
    """
    width, height = size
    cells = -(-width // _COARSE_PX), -(-height // _COARSE_PX)
    away = sun.offset * float(rng.uniform(400, 2000)) / gsd_m / _COARSE_PX
    away = np.clip(np.rint(away), -max(cells) * 1.5, max(cells) * 1.5).astype(int)  # farther: another cloud, no matter
    grain = float(np.exp(rng.uniform(np.log(120), np.log(900)))) / gsd_m / _COARSE_PX
    whole = (cells[0] + abs(int(away[0])), cells[1] + abs(int(away[1])))
    field = _billows(rng, whole, max(grain, 2.0))
    field -= np.float32(np.quantile(field[::3, ::3], 1 - cover))
    x, y = max(int(away[0]), 0), max(int(away[1]), 0)  # the cloud over a place casts its shadow `away` from there
    over = field[y : y + cells[1], x : x + cells[0]]
    x, y = max(-int(away[0]), 0), max(-int(away[1]), 0)
    cast = cv2.GaussianBlur(_opacity(field[y : y + cells[1], x : x + cells[0]]), (0, 0), 1.2)
    density = np.float32(1.0 if maybe(rng, 0.8) else rng.uniform(0.35, 0.65))
    tops = rng.uniform(205, 252) * (0.84 + 0.16 * np.clip(over * 0.7 + 0.3 * _billows(rng, cells, 3.0), 0, 1))
    return Sky(
        _enlarged(_opacity(over) * density, size),
        _enlarged(np.asarray(cast, np.float32) * density, size),
        np.full((height, width), float(rng.uniform(0, 0.12)), np.float32),
        _enlarged(tops.astype(np.float32), size),
    )


def hazy(rng: np.random.Generator, size: tuple[int, int], gsd_m: float) -> Sky:
    """Thin haze or high cirrus over a picture of `size` (width, height) px: contrast is lost, more here than there."""
    width, height = size
    cells = -(-width // _COARSE_PX), -(-height // _COARSE_PX)
    patches = _billows(rng, cells, max(float(rng.uniform(400, 2500)) / gsd_m / _COARSE_PX, 4.0))
    thick = float(rng.uniform(0.1, 0.45)) * (1 + float(rng.uniform(0.1, 0.5)) * patches)
    veil = cv2.resize(thick.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    nothing = np.zeros((height, width), np.float32)
    return Sky(nothing, nothing, np.asarray(np.clip(veil, 0, 0.65), np.float32), nothing)


def hidden(sky: Sky, corners: Floats) -> Floats:
    """Share (n,), 0 to 1, of each box (n, 4, 2) px that lies under opaque cloud."""
    thick = (sky.opacity >= OPAQUE).astype(np.uint8)
    shares = np.zeros(len(corners))
    for i, box in enumerate(np.asarray(corners, np.float64)):
        low = np.maximum(np.floor(box.min(0)).astype(int), 0)
        high = np.minimum(np.ceil(box.max(0)).astype(int) + 1, thick.shape[::-1])
        mask = np.zeros((max(high[1] - low[1], 1), max(high[0] - low[0], 1)), np.uint8)
        cv2.fillConvexPoly(mask, np.rint((box - low - 0.5) * 16).astype(np.int32), 1, cv2.LINE_8, 4)
        part = thick[low[1] : high[1], low[0] : high[0]]
        if part.shape == mask.shape:
            shares[i] = float((part & mask).sum()) / max(int(mask.sum()), 1)
    return shares


def maybe_sky(rng: np.random.Generator, size: tuple[int, int], gsd_m: float, sun: Sun) -> Sky | None:
    """A sky as over pictures that somebody chose to keep: one in eight has broken cloud, one in eight haze."""
    chance = float(rng.random())
    if chance < 0.125:  # noqa: PLR2004 - see above
        return cloudy(rng, size, gsd_m, sun, float(rng.uniform(0.05, 0.4)))
    return hazy(rng, size, gsd_m) if chance < 0.25 else None  # noqa: PLR2004
