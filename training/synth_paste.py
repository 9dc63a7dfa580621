"""Paste a real hull, cut from one picture by its oriented box, onto the real water of another.

Nothing is drawn: every pixel comes from one of the two pictures. What is made so shows real decks against other water,
at another heading and size; it is no real scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.geometry import to_corners
from training.synth_chance import maybe

if TYPE_CHECKING:
    from edge.geometry import Floats
    from training.synth_canvas import Image

Plane = NDArray[np.float32]

_LEAST_PX = 8.0  # a shorter hull shows nothing
_SCALES = (0.6, 1.25)  # enlarged further, a hull would be softer than the water about it
_POINTED, _SQUARE = 0.15, 0.03  # shares of the length that a tapering and a square end take


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """A hull laid along +x with a rim of its old water."""

    pixels: Plane
    """RGB with shape (height, width, 3), 0 to 255; the hull's middle is the picture's."""
    alpha: Plane
    """Share of the hull with shape (height, width), 0 to 1."""
    size: tuple[float, float]
    """Length and beam of the box, px of `pixels`."""
    around: Floats
    """Colour (3,) of the water that was about it."""


def _upright(hull: Image, box: Floats, scale: float) -> tuple[Plane, NDArray[np.bool_]]:
    """The box (5,) px and as much about it as half its beam, turned along +x and scaled; and which pixels exist."""
    x, y, length, beam, turn = box.tolist()
    rim = 0.5 * beam + 3
    width, height = (int(np.ceil((side + 2 * rim) * scale)) for side in (length, beam))
    cos, sin = np.cos(turn) / scale, np.sin(turn) / scale
    back = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])  # from the upright picture to the hull's
    back[:, 2] = np.array([x, y]) - 0.5 - back[:, :2] @ np.array([(width - 1) / 2, (height - 1) / 2])
    # A picture that shrinks is blurred first, or thin pipes would turn into dots.
    soft = cv2.GaussianBlur(hull, (0, 0), 0.5 / scale - 0.3) if scale < 0.8 else hull  # noqa: PLR2004
    flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    pixels = cv2.warpAffine(soft, back, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    there = cv2.warpAffine(np.full(hull.shape[:2], 255, np.uint8), back, (width, height), flags=flags)
    return np.asarray(pixels, np.float32), np.asarray(there) > 250  # noqa: PLR2004 - wholly inside


def _water(pixels: Plane, there: NDArray[np.bool_], size: tuple[float, float]) -> tuple[Floats, float]:
    """Colour (3,) of the water beside the box, and how far its pixels usually are from it.

    The side that varies less: the other may hold a quay or the shadow.
    """
    height = pixels.shape[0]
    half = size[1] / 2 + 2
    best, spread = np.median(pixels.reshape(-1, 3), 0), np.inf
    for rows in (slice(0, int(max(height / 2 - half, 1))), slice(int(min(height / 2 + half + 1, height - 1)), height)):
        part = pixels[rows][there[rows]]
        if len(part) >= 12:  # noqa: PLR2004 - enough to say
            middle = np.median(part, 0)
            away = float(np.median(np.abs(part - middle).max(1)))
            if away < spread:
                best, spread = middle, away
    return np.asarray(best, np.float64), max(spread if np.isfinite(spread) else 12.0, 3.0)


def _entrances(pixels: Plane, size: tuple[float, float], water: Floats, spread: float) -> tuple[float, float]:
    """Share of the length that tapers at the end of -x and at that of +x: where the corners show water, a bow."""
    height, width = pixels.shape[:2]
    long, wide = max(0.06 * size[0], 1.5), max(0.16 * size[1], 1.0)
    shares = []
    for end in (-1, 1):
        wet = []
        for side in (-1, 1):
            x, y = width / 2 + end * (size[0] - long) / 2, height / 2 + side * (size[1] - wide) / 2
            rows = slice(int(y - wide / 2), int(y + wide / 2) + 1)
            columns = slice(int(x - long / 2), int(x + long / 2) + 1)
            away = np.abs(pixels[rows, columns].reshape(-1, 3) - water).max(1)
            wet.append(float((away < 4 * spread).mean()))
        shares.append(_POINTED if min(wet) > 0.4 else _SQUARE)  # noqa: PLR2004 - nearly half of a corner
    return shares[0], shares[1]


def hull_alpha(
    shape: tuple[int, int], size: tuple[float, float], entrances: tuple[float, float], feather_px: float
) -> Plane:
    """A soft mask (height, width), 0 to 1, of a hull in the middle of a picture, along +x.

    `size` is its length and beam, px; its ends are half ellipses that take the shares `entrances` of the length; it
    fades out over `feather_px` inwards from the box.
    """
    height, width = shape
    x = (np.arange(width) + 0.5 - width / 2).astype(np.float32)
    y = (np.arange(height) + 0.5 - height / 2).astype(np.float32)
    half = np.full(width, size[1] / 2, np.float32)
    for end, share in zip((-1, 1), entrances, strict=True):
        t = (end * x - (0.5 - share) * size[0]) / max(share * size[0], 1e-6)
        half *= np.sqrt(np.clip(1 - np.clip(t, 0, 1) ** 2, 0, 1))
    across = (half[None] - np.abs(y)[:, None]) / feather_px
    along = ((size[0] / 2 - np.abs(x)) / feather_px)[None]
    return np.asarray(np.clip(np.minimum(across, along) + 0.5, 0, 1) * (half > 0)[None], np.float32)


def _cut(rng: np.random.Generator, hull: Image, box: Floats, scale: float) -> _Cut:
    """Cut the hull out; what looks like its old water along the rim of the box is left behind."""
    pixels, there = _upright(hull, box, scale)
    size = float(box[2]) * scale, float(box[3]) * scale
    water, spread = _water(pixels, there, size)
    feather = min(float(rng.uniform(1.0, 2.0)), 0.25 * size[1] + 0.5)
    alpha = hull_alpha(pixels.shape[:2], size, _entrances(pixels, size, water, spread), feather)
    core = hull_alpha(pixels.shape[:2], (0.94 * size[0], 0.7 * size[1]), (_POINTED, _POINTED), 1.0)
    away = cv2.GaussianBlur(np.abs(pixels - water).max(2), (0, 0), 0.6)
    dry = np.clip((away - 2 * spread) / (3 * spread), 0, 1)
    return _Cut(pixels, np.asarray(alpha * np.maximum(dry, core) * there, np.float32), size, water)


def _fitted_scale(rng: np.random.Generator, room: tuple[int, int], box: Floats, turn: float) -> float:
    """A scale at which the box, turned, fits into a picture of `room` (width, height) px."""
    cos, sin = abs(np.cos(turn)), abs(np.sin(turn))
    reach = np.array([box[2] * cos + box[3] * sin, box[2] * sin + box[3] * cos])
    most = float(min((np.array(room) - 4) / reach))
    scale = min(float(np.exp(rng.uniform(*np.log(_SCALES)))), most)
    if scale * float(box[2]) < _LEAST_PX:
        msg = f"a hull of {box[2]:.0f} x {box[3]:.0f} px does not fit on water of {room[0]} x {room[1]} px"
        raise ValueError(msg)
    return scale


def _matched(cut: _Cut, target: Floats) -> Plane:
    """The hull's pixels under the light of the new water, colour (3,).

    Only a part of the way: another water is mostly another bottom or mud, and says little about the light.
    """
    gain = np.clip(((target + 24) / (cut.around + 24)) ** 0.35, 0.7, 1.4)
    return np.asarray(cut.pixels * gain.astype(np.float32), np.float32)


def _laid(water: Image, cut: _Cut, corners: Floats, *, mirrored: bool) -> Image:
    """The water (h, w, 3) with the cut hull at its corners (4, 2) px."""
    low = np.maximum(np.floor(corners.min(0)).astype(int) - 3, 0)
    high = np.minimum(np.ceil(corners.max(0)).astype(int) + 3, water.shape[1::-1])
    under = water[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    target = np.median(under.reshape(-1, 3), 0).astype(np.float64)
    ahead, right = corners[0] - corners[3], corners[1] - corners[0]
    move = np.empty((2, 3))
    move[:, 0] = ahead / np.hypot(*ahead)
    move[:, 1] = right / np.hypot(*right) * (-1 if mirrored else 1)
    rows, columns = cut.alpha.shape
    move[:, 2] = corners.mean(0) - 0.5 - low - move[:, :2] @ np.array([(columns - 1) / 2, (rows - 1) / 2])
    size = (under.shape[1], under.shape[0])
    alpha = np.asarray(cv2.warpAffine(cut.alpha, move, size, flags=cv2.INTER_LINEAR), np.float32)[..., None]
    pixels = cv2.warpAffine(_matched(cut, target), move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    out = water.copy()
    mixed = under * (1 - alpha) + pixels * alpha
    out[low[1] : high[1], low[0] : high[0]] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
    return out


def paste_hull(rng: np.random.Generator, water: Image, hull: Image, box: Floats) -> tuple[Image, Floats]:
    """Paste a hull onto water: turned, scaled, perhaps mirrored, with soft edges, its colours drawn to the new water's.

    `water` is uint8 RGB (h, w, 3), `hull` uint8 RGB (H, W, 3), and `box` (5,) the hull's box in it: centre x and y,
    length and beam px, angle of the length in radians from +x towards +y (down). Gives a new picture (h, w, 3) and the
    hull's corners (4, 2) px in it, all inside: bow-left, bow-right, stern-right, stern-left, if the box's angle was the
    bow's. The caller sees to it that the water is free.

    Raises:
        ValueError: the box has no size or lies outside its picture, or the water is too small for the hull.
    """
    box = np.asarray(box, np.float64).reshape(5)
    outside = not np.isfinite(box).all() or (box[:2] < 0).any() or (box[:2] > hull.shape[1::-1]).any()
    if outside or box[2:4].min() <= 0:
        msg = f"no hull can be cut by the box {box.round(1).tolist()} from {hull.shape[1]} x {hull.shape[0]} px"
        raise ValueError(msg)
    height, width = water.shape[:2]
    turn = float(rng.uniform(0, 2 * np.pi))
    scale = _fitted_scale(rng, (width, height), box, turn)
    cut = _cut(rng, hull, box, scale)
    length, beam = cut.size
    cos, sin = abs(np.cos(turn)), abs(np.sin(turn))
    reach = np.array([length * cos + beam * sin, length * sin + beam * cos]) / 2
    spot = rng.uniform(reach + 1, np.array([width, height]) - reach - 1)
    mirrored = maybe(rng, 0.5)  # about its length: port becomes starboard
    corners = np.asarray(to_corners(np.array([[*spot, length, beam, turn]]))[0])
    return _laid(water, cut, corners, mirrored=mirrored), corners
