"""Random vessels on a frame, and a detector that sees all of them: what a tile's edge cuts, it sees cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from edge.detections import Detections
from edge.geometry import Floats, Window, clip_polygon, polygon_area, to_corners

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.tiling import Tile

STILL_FOUND = 0.5
"""A box that overlaps its vessel by less (IoU) is not a detection of it, by every scorer's rules."""


@dataclass(frozen=True)
class Fleet:
    """Vessels that do not overlap, on a frame of width x height px; some lie partly outside."""

    width: int
    height: int
    hulls: Floats
    """Boxes (n, 5) xywhr px."""

    def seen_in(self, window: Window) -> tuple[NDArray[np.intp], Floats]:
        """Which vessels show in a part of the frame, and the boxes (n, 5) along their axes round what shows."""
        right, bottom = min(window.right, self.width), min(window.bottom, self.height)
        left, top = max(window.x, 0), max(window.y, 0)
        return seen(self.hulls, Window(left, top, right - left, bottom - top))

    @property
    def truth(self) -> Floats:
        """What shows of each vessel in the whole frame, boxes (n, 5)."""
        _, boxes = self.seen_in(Window(0, 0, self.width, self.height))
        return boxes


def seen(hulls: Floats, window: Window) -> tuple[NDArray[np.intp], Floats]:
    """Indices of the hulls (n, 5) that show in a window, and boxes along their axes round what shows."""
    indices, boxes = [], []
    for i, (hull, corners) in enumerate(zip(hulls, to_corners(hulls), strict=True)):
        if window.contains(corners).all():
            indices.append(i)
            boxes.append(hull)
            continue
        shape = clip_polygon(corners, window)
        if polygon_area(shape) > 1e-6:
            angle = hull[4]
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            along = shape @ turn
            low, high = along.min(0), along.max(0)
            indices.append(i)
            boxes.append(np.array([*(turn @ ((low + high) / 2)), *np.maximum(high - low, 1e-6), angle]))
    return np.array(indices, np.intp), np.array(boxes, np.float64).reshape(-1, 5)


def _shape(hull: Floats) -> shapely.Polygon:
    return shapely.Polygon(to_corners(hull[None])[0])


def random_fleet(
    rng: np.random.Generator,
    size: tuple[int, int],
    lengths: tuple[float, float],
    groups: int,
    seams: tuple[Sequence[int], Sequence[int]] = ((), ()),
    gap: float = 3.0,
) -> Fleet:
    """Lone vessels, and rafted ones: two or three hulls 0.2 to 2 px apart.

    Args:
        rng: all chance comes from here.
        size: width and height of the frame, px.
        lengths: shortest and longest vessel, px.
        groups: how many times a place is tried; where there is none, none lies there.
        seams: columns and rows near which about half of the vessels are put.
        gap: least distance between vessels that are not rafted, px.
    """
    taken: list[shapely.Polygon] = []
    hulls: list[Floats] = []
    frame = shapely.box(0, 0, *size)
    for _ in range(groups):
        length = float(np.exp(rng.uniform(*np.log(lengths))))
        beam = length * rng.uniform(0.15, 0.35)
        angle = rng.choice([0.0, np.pi / 4, np.pi / 2]) if rng.random() < 0.2 else rng.uniform(0, np.pi)
        centre = [_place(rng, size[k], length, seams[k]) for k in range(2)]
        group = [np.array([*centre, length, beam, angle])]
        for _ in range(int(rng.choice([0, 0, 0, 1, 1, 2]))):
            aside = (group[-1][3] + beam) / 2 + rng.uniform(0.2, 2.0)
            slip = rng.uniform(-0.3, 0.3) * length
            x = group[-1][0] - np.sin(angle) * aside + np.cos(angle) * slip
            y = group[-1][1] + np.cos(angle) * aside + np.sin(angle) * slip
            group.append(np.array([x, y, length * rng.uniform(0.7, 1.0), beam, angle]))
            group[-1][2] = max(group[-1][2], lengths[0])
        shapes = [_shape(h) for h in group]
        shows = all(s.intersection(frame).area > 0.2 * s.area for s in shapes)
        if shows and all(s.distance(t) > gap for s in shapes for t in taken):
            hulls += group
            taken += shapes
    return Fleet(*size, np.array(hulls, np.float64).reshape(-1, 5))


def _place(rng: np.random.Generator, extent: int, length: float, seams: Sequence[int]) -> float:
    """Anywhere, half of the time close to a seam; also partly outside."""
    if len(seams) and rng.random() < 0.6:
        return float(rng.choice(seams)) + rng.uniform(-1, 1) * rng.choice([0.01, 2.0, 6.0, 0.1 * length])
    return rng.uniform(-0.3 * length, extent + 0.3 * length)


class PerfectDetector:
    """Finds each vessel that shows in a tile; optionally a little off, otherwise in every tile."""

    def __init__(self, fleet: Fleet, off_px: float = 0.0, seed: int = 0) -> None:
        """Centres are off by up to `off_px` px in x and in y, as far as the box still is a detection of the vessel."""
        self._fleet, self._off, self._seed = fleet, off_px, seed

    def find(self, tile: Tile) -> Detections:
        """What shows in a tile, px of the tile."""
        rng = np.random.default_rng([self._seed, tile.index])
        _, boxes = self._fleet.seen_in(tile.window)
        boxes = boxes[rng.permutation(len(boxes))].reshape(-1, 5)
        if self._off:
            by = rng.uniform(-self._off, self._off, (len(boxes), 2))
            worst = rng.random(len(boxes)) < 0.3  # more often than chance has it
            boxes = _off(boxes, np.where(worst[:, None], np.copysign(self._off, by), by))
        score = rng.uniform(0.3, 1.0, len(boxes)) if self._off else np.full(len(boxes), 0.9)
        return Detections.of(boxes, score).moved(-tile.window.x, -tile.window.y)


def _off(boxes: Floats, by: Floats) -> Floats:
    """Boxes (n, 5) moved by (n, 2) px, or by as much of it as leaves each a detection of what it was."""
    cos, sin = np.cos(boxes[:, 4]), np.sin(boxes[:, 4])
    u = np.abs(by[:, 0] * cos + by[:, 1] * sin) / boxes[:, 2]
    v = np.abs(by[:, 1] * cos - by[:, 0] * sin) / boxes[:, 3]
    # Moved along its own axes by shares u and v, a box shares (1 - u)(1 - v) = s of itself: the IoU is s / (2 - s).
    least = 2 * STILL_FOUND / (1 + STILL_FOUND)
    steps = np.linspace(0, 1, 201)[:, None]
    share = np.maximum(1 - steps * u, 0) * np.maximum(1 - steps * v, 0)
    out = boxes.copy()
    out[:, :2] += by * (steps * (share > least)).max(0)[:, None]
    return out


def fit(found: Floats, truth: Floats) -> Floats:
    """IoU (n, k) of boxes (n, 5) and (k, 5), by shapely."""
    a, b = (shapely.polygons(to_corners(boxes)) for boxes in (found, truth))
    # On a fine grid: on edges that all but coincide, GEOS has called boxes disjoint that share most of their area.
    shared = shapely.area(shapely.intersection(a[:, None], b[None], grid_size=1e-6))
    union = shapely.area(a)[:, None] + shapely.area(b)[None] - shared
    return np.asarray(shared / union)


__all__ = ["Fleet", "PerfectDetector", "fit", "random_fleet", "seen"]
