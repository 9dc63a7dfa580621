"""Windows and oriented boxes. Pixel coordinates are continuous: (0, 0) is the outer corner of the first pixel.

Oriented boxes come in two forms. `xywhr` is (n, 5): centre x, centre y, length, beam in px, and the angle r in radians
from +x towards +y (down) of the long axis, with length >= beam and 0 <= r < pi. `corners` is (n, 4, 2) px, clockwise
on the screen from the bow-left (which end is the bow is a guess: r and r + pi are the same box).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.pairs import overlapping_pairs as overlapping_pairs  # noqa: PLC0414 - part of what this module offers

Floats = NDArray[np.float64]

_CHUNK = 2**11
"""Pairs of boxes that are looked at together: what their edges need stays in the cache."""


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of a scene, whole px: columns x .. x + width, rows y .. y + height."""

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        """Refuse an empty window."""
        if self.width <= 0 or self.height <= 0:
            msg = f"a window needs a positive size, not {self.width} x {self.height}"
            raise ValueError(msg)

    @property
    def right(self) -> int:
        """First column to the right of the window."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below the window."""
        return self.y + self.height

    def contains(self, xy: Floats) -> NDArray[np.bool_]:
        """Which of the points (n, 2) px lie inside, left and upper edge included."""
        x, y = xy[:, 0], xy[:, 1]
        return (x >= self.x) & (x < self.right) & (y >= self.y) & (y < self.bottom)


def canonical(xywhr: Floats) -> Floats:
    """The same boxes (n, 5) with length >= beam and 0 <= r < pi."""
    out = np.array(xywhr, np.float64).reshape(-1, 5)
    swap = out[:, 3] > out[:, 2]
    out[swap, 2:4] = out[swap, 3:1:-1]
    out[swap, 4] += np.pi / 2
    out[:, 4] %= np.pi
    out[out[:, 4] >= np.pi, 4] = 0.0  # -1e-17 % pi rounds up to pi itself
    return out


def to_corners(xywhr: Floats) -> Floats:
    """Boxes (n, 5) -> corners (n, 4, 2) px: bow-left, bow-right, stern-right, stern-left."""
    boxes = np.asarray(xywhr, np.float64).reshape(-1, 5)
    cos, sin = np.cos(boxes[:, 4]), np.sin(boxes[:, 4])
    ahead = np.stack([cos, sin], 1) * boxes[:, 2:3] / 2
    right = np.stack([-sin, cos], 1) * boxes[:, 3:4] / 2
    centre = boxes[:, :2]
    bow, stern = centre + ahead, centre - ahead
    return np.stack([bow - right, bow + right, stern + right, stern - right], 1)


def from_corners(corners: Floats) -> Floats:
    """Any quadrilaterals (n, 4, 2) px -> the smallest oriented boxes round them, (n, 5)."""
    quads = np.asarray(corners, np.float64).reshape(-1, 4, 2)
    out = np.empty((len(quads), 5))
    for i, quad in enumerate(quads):
        origin = quad.mean(0)  # OpenCV computes in single precision: stay near zero
        (x, y), (w, h), degrees = cv2.minAreaRect((quad - origin).astype(np.float32))
        out[i] = x + origin[0], y + origin[1], w, h, np.deg2rad(degrees)
    return canonical(out)


def envelopes(corners: Floats) -> Floats:
    """Axis-aligned bounds (n, 4) px of the boxes (n, 4, 2): left, top, right, bottom."""
    quads = np.asarray(corners, np.float64).reshape(-1, 4, 2)
    return np.concatenate([quads.min(1), quads.max(1)], 1)


def clip_polygon(polygon: Floats, window: Window) -> Floats:
    """The part (m, 2) of a convex polygon (k, 2) px inside a window; m = 0 where nothing is.

    Sutherland and Hodgman, "Reentrant polygon clipping", CACM 17 (1974), against the window's four half-planes.
    """
    points = np.asarray(polygon, np.float64).reshape(-1, 2)
    for axis, sign, edge in ((0, 1, window.x), (0, -1, window.right), (1, 1, window.y), (1, -1, window.bottom)):
        if len(points) == 0:
            break
        inside = sign * (points[:, axis] - edge)
        kept: list[Floats] = []
        for i, depth in enumerate(inside):
            j = (i + 1) % len(points)
            if depth >= 0:
                kept.append(points[i])
            if (depth > 0 > inside[j]) or (depth < 0 < inside[j]):
                kept.append(points[i] + (points[j] - points[i]) * (depth / (depth - inside[j])))
        points = np.array(kept, np.float64).reshape(-1, 2)
    return points


def round_visible(xywhr: Floats, windows: Floats) -> Floats:
    """The smallest boxes (m, 5) at the same angles that hold what shows of boxes (m, 5) in windows (m, 4).

    Windows are left, top, right, bottom in px; a box of which nothing shows becomes one of no area. The corners of what
    shows are corners of the one inside the other, or lie where two edges cross.
    """
    boxes = np.asarray(xywhr, np.float64).reshape(-1, 5)
    low, high = windows[:, None, :2], windows[:, None, 2:]
    own = to_corners(boxes)
    theirs = windows[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    cos, sin = np.cos(boxes[:, 4]), np.sin(boxes[:, 4])
    axes = np.stack([np.stack([cos, -sin], 1), np.stack([sin, cos], 1)], 1)  # (m, 2, 2): offset @ axes = along, across
    along = np.abs((theirs - boxes[:, None, :2]) @ axes)
    points, valid = [own, theirs], [((own >= low) & (own <= high)).all(2), (along <= boxes[:, None, 2:4] / 2).all(2)]
    start, step = own, np.roll(own, -1, 1) - own
    for axis, side in ((0, 0), (1, 1), (0, 2), (1, 3)):
        with np.errstate(divide="ignore", invalid="ignore"):
            at = (windows[:, side, None] - start[..., axis]) / step[..., axis]
            crossing = start + at[..., None] * step
        across = crossing[..., 1 - axis]
        real = (at >= 0) & (at <= 1) & (across >= low[..., 1 - axis]) & (across <= high[..., 1 - axis])
        valid.append(real)
        points.append(np.where(real[..., None], crossing, 0.0))
    shows = np.concatenate(valid, 1)
    turned = (np.concatenate(points, 1) - boxes[:, None, :2]) @ axes
    first = np.where(shows[..., None], turned, np.inf).min(1)
    last = np.where(shows[..., None], turned, -np.inf).max(1)
    empty = ~shows.any(1)
    first[empty], last[empty] = 0.0, 0.0
    centre = boxes[:, :2] + (axes @ ((first + last) / 2)[..., None])[..., 0]
    return np.concatenate([centre, last - first, boxes[:, 4:]], 1)


def polygon_area(polygon: Floats) -> float:
    """Area in px² of a simple polygon (k, 2), by the shoelace formula."""
    if len(polygon) < 3:  # noqa: PLR2004 - a polygon has three corners
        return 0.0
    x, y = polygon[:, 0] - polygon[0, 0], polygon[:, 1] - polygon[0, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _inside_part(p: Floats, q: Floats, clip: Floats, slack: Floats) -> Floats:
    """Twice the signed area swept round the origin by the parts of edges p -> q (m, 4, 2) inside convex `clip`.

    Each edge is cut by the clip's four half-planes in parametric form (Cyrus and Beck 1978); `slack` (m, 1) px decides
    whether an edge that lies on the clip's own edge belongs to it.
    """
    start, stop = np.zeros(p.shape[:2]), np.ones(p.shape[:2])
    for k in range(4):
        a, b = clip[:, k, None], clip[:, (k + 1) % 4, None]
        edge = b - a
        norm = np.hypot(edge[..., 0], edge[..., 1])
        norm[norm == 0] = 1.0
        depth_p = (edge[..., 0] * (p - a)[..., 1] - edge[..., 1] * (p - a)[..., 0]) / norm + slack
        depth_q = (edge[..., 0] * (q - a)[..., 1] - edge[..., 1] * (q - a)[..., 0]) / norm + slack
        change = depth_q - depth_p
        with np.errstate(divide="ignore", invalid="ignore"):
            cut = -depth_p / change
        start = np.where((depth_p < 0) & (depth_q >= 0), np.maximum(start, cut), start)
        stop = np.where((depth_p >= 0) & (depth_q < 0), np.minimum(stop, cut), stop)
        stop = np.where((depth_p < 0) & (depth_q < 0), -1.0, stop)
        # An edge that runs along the clip's edge the other way belongs to a box that only touches it.
        against = (edge * (q - p)).sum(-1) < 0
        touches = (depth_p <= 2 * slack) & (depth_q <= 2 * slack) & against
        stop = np.where(touches, -1.0, stop)
    keep = stop > start
    first, last = p + (q - p) * start[..., None], p + (q - p) * stop[..., None]
    cross = first[..., 0] * last[..., 1] - first[..., 1] * last[..., 0]
    return np.asarray(np.where(keep, cross, 0.0).sum(1))


def _intersection(a: Floats, b: Floats) -> Floats:
    """Shared areas (m,) of few boxes a[i] and b[i]."""
    origin = (a.mean(1, keepdims=True) + b.mean(1, keepdims=True)) / 2
    a, b = a - origin, b - origin
    # Of each pair by itself: what two boxes share does not depend on the company they come in.
    slack = 1e-9 * (1.0 + np.abs(a).max((1, 2), initial=0.0)[:, None])
    area = _inside_part(a, np.roll(a, -1, 1), b, slack) + _inside_part(b, np.roll(b, -1, 1), a, -slack)
    return np.clip(area / 2, 0.0, np.minimum(areas(a), areas(b)))  # rounding must not share more than there is


def paired_intersection(a: Floats, b: Floats) -> Floats:
    """Shared areas (m,) in px² of the oriented boxes a[i] and b[i], corners (m, 4, 2) clockwise on the screen.

    By Green's theorem over the edges of each box inside the other; edges that coincide count once.
    """
    starts = range(0, len(a), _CHUNK)
    return np.concatenate([np.empty(0), *(_intersection(a[i : i + _CHUNK], b[i : i + _CHUNK]) for i in starts)])


def areas(corners: Floats) -> Floats:
    """Areas (n,) in px² of quadrilaterals (n, 4, 2) px."""
    d, e = corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]
    return np.asarray(np.abs(d[:, 0] * e[:, 1] - d[:, 1] * e[:, 0]) / 2)


def paired_iou(a: Floats, b: Floats) -> Floats:
    """Intersection over union (m,), 0 to 1, of the oriented boxes a[i] and b[i], corners (m, 4, 2)."""
    shared = paired_intersection(a, b)
    union = areas(a) + areas(b) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def rotated_iou(a: Floats, b: Floats) -> float:
    """Intersection over union, 0 to 1, of two oriented boxes given as corners (4, 2) px."""
    return float(paired_iou(a[None], b[None])[0])
