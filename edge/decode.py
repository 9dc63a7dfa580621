"""Raw network output -> Detections in the tile's frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.calibration import sigmoid
from edge.detections import Detections
from edge.geometry import Floats, areas, envelopes, overlapping_pairs, paired_intersection

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = 6
"""Of a network's output: centre x, centre y, width, height (px of the tile), score (0..1), angle (radians)."""
STRIDES = (8, 16, 32)
"""Px between anchors, level by level, of a network whose boxes are undecoded; all of them ultralytics' OBB networks."""
SHARED_WATER = 0.5
"""Share of the smaller of two boxes; boxes of rafted vessels, each drawn 10 % too wide, share a fifth at the most."""


def suppress(detections: Detections, iou: float) -> Detections:
    """Keep the best-scored of boxes that overlap by more than `iou` (rotated); ties fall to the earlier row.

    Greedy non-maximum suppression on oriented boxes: hulls side by side do not overlap, so rafted vessels stay. Two
    boxes that cross, or of which one lies on the other, have a small IoU and yet are one vessel: hulls do not share
    water. So a box also goes if a better one takes more than SHARED_WATER of it, or it of the better one.
    """
    n = len(detections)
    if n < 2:  # noqa: PLR2004 - one box has nothing to overlap with
        return detections
    ranked = detections[np.argsort(-detections.score, kind="stable")]
    corners = ranked.corners
    bounds = envelopes(corners)
    pairs = overlapping_pairs(bounds, bounds)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    first, second = corners[pairs[:, 0]], corners[pairs[:, 1]]
    shared = paired_intersection(first, second)
    one, two = areas(first), areas(second)
    pairs = pairs[(shared > iou * (one + two - shared)) | (shared > SHARED_WATER * np.minimum(one, two))]
    dead = np.zeros(n, bool)
    for better, worse in pairs:  # sorted by the better one: its own fate is settled when its turn comes
        if not dead[better]:
            dead[worse] = True
    return ranked[~dead]


def from_distances(output: NDArray[np.float32], floor: float, size: tuple[int, int]) -> NDArray[np.float64]:
    """Rows (m, 6) of COLUMNS for those anchors of an undecoded output that reach the floor.

    Args:
        output: shape (anchors, 6): distances from the anchor to the box's left, top, right and bottom edge, along the
            box's own axes and in strides; log-odds of a vessel; angle in radians. Anchors run along rows, rows along
            levels; those of further networks follow in the same order.
        floor: score, 0 to 1; the few anchors that reach it are all that is made into boxes.
        size: height and width of the tile, px.

    The arithmetic is that of `dist2rbox` in ultralytics 8.4: the anchor need not be the box's centre.
    """
    with np.errstate(divide="ignore"):
        alive = np.flatnonzero(output[:, 4] >= np.log(floor) - np.log1p(-floor))
    rows = output[alive].astype(np.float64)
    centre, stride = _anchors(alive, size)
    near, far = rows[:, :2], rows[:, 2:4]
    across, down = ((far - near) / 2).T
    cos, sin = np.cos(rows[:, 5]), np.sin(rows[:, 5])
    centre += np.stack([across * cos - down * sin, across * sin + down * cos], 1)
    boxes = np.concatenate([centre, near + far], 1) * stride[:, None]
    return np.column_stack([boxes, sigmoid(rows[:, 4]), rows[:, 5]])


def anchors_of(size: tuple[int, int]) -> list[int]:
    """Anchors of each level on a tile of height x width px."""
    return [(size[0] // s) * (size[1] // s) for s in STRIDES]


def _anchors(index: NDArray[np.intp], size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Centres (m, 2) in strides, x before y, and strides (m,) in px, of the anchors with these indices (m,)."""
    columns = np.array([size[1] // s for s in STRIDES])
    ends = np.cumsum(anchors_of(size))
    index = index % ends[-1]
    level = np.searchsorted(ends, index, side="right")
    y, x = np.divmod(index - np.concatenate([[0], ends])[level], columns[level])
    return np.stack([x + 0.5, y + 0.5], 1), np.array(STRIDES, np.float64)[level]


def decode(output: NDArray[np.floating], floor: float, nms_iou: float | None) -> Detections:
    """One tile's boxes (anchors, 6) -> its vessels.

    Args:
        output: see COLUMNS.
        floor: rows with a lower score are dropped before anything else is computed.
        nms_iou: rotated IoU for suppression; None for a network whose rows are vessels already.
    """
    rows: Floats = output[output[:, 4] >= floor].astype(np.float64)
    rows = rows[(rows[:, 2] > 0) & (rows[:, 3] > 0) & np.isfinite(rows).all(1)]
    found = Detections.of(rows[:, [0, 1, 2, 3, 5]], rows[:, 4])
    return found if nms_iou is None else suppress(found, nms_iou)
