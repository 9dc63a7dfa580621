"""Raw network output -> Detections in the tile's frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.detections import Detections
from edge.geometry import Floats, areas, envelopes, overlapping_pairs, paired_intersection

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = 6
"""Of a network's output: centre x, centre y, width, height (px of the tile), score (0..1), angle (radians)."""
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


def decode(output: NDArray[np.float32], floor: float, nms_iou: float | None) -> Detections:
    """One tile's output (anchors, 6) -> its vessels.

    Args:
        output: see COLUMNS.
        floor: rows with a lower score are dropped before anything else is computed.
        nms_iou: rotated IoU for suppression; None for a network whose rows are vessels already.
    """
    rows: Floats = output[output[:, 4] >= floor].astype(np.float64)
    rows = rows[(rows[:, 2] > 0) & (rows[:, 3] > 0) & np.isfinite(rows).all(1)]
    found = Detections.of(rows[:, [0, 1, 2, 3, 5]], rows[:, 4])
    return found if nms_iou is None else suppress(found, nms_iou)
