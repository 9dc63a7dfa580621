"""Whether a vessel lies alongside something (quay, jetty, another hull) or in open water, by the pixels beside it.

The rule: along the middle 80 % of either side of the box lies a strip from a quarter of a beam to five quarters of a
beam beyond the hull. The picture is smoothed by a fifth of a beam, so that waves are no structure. Water is the median
of the darkest 40 % of both strips. A px that differs from water by more than 25 grey levels in a channel is not water;
if 30 % of one strip are not, the vessel lies alongside. Looked at on the val sets: of the 32 vessels (of 340) that the
rule calls so, 7 have a wake, their own shadow or a rough sea beside them instead; of the 12 next, 3 do lie alongside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.geometry import from_corners

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.geometry import Floats

ALONG = 0.8
"""Share of the length that the strips take."""
NEAREST, FARTHEST = 0.25, 1.25
"""Where the strips begin and end, beams beyond the hull."""
LEAST_NEAREST_PX, LEAST_FARTHEST_PX = 1.0, 3.0
"""The same for craft of a few px, px."""
SMOOTH = 0.2
"""Standard deviation of the smoothing, beams."""
DARKEST = 0.4
UNLIKE = 25
"""Grey levels, of 255."""
SHARE = 0.3
LEAST_SAMPLES = 6
"""A strip of fewer px inside the picture says nothing."""


def _strip(pixels: NDArray[np.uint8], box: Floats, side: int) -> Floats:
    """Smoothed colours (n, 3) of the strip on one side (-1 or 1) of a box (5,) px, as far as it is in the picture."""
    x, y, length, beam, angle = box
    near, far = max(LEAST_NEAREST_PX, NEAREST * beam), max(LEAST_FARTHEST_PX, FARTHEST * beam)
    columns, rows = int(np.clip(ALONG * length, 8, 200)), int(np.clip(far - near, 4, 60))
    along = ((np.arange(columns) + 0.5) / columns - 0.5) * ALONG * length
    across = side * (beam / 2 + near + (np.arange(rows) + 0.5) / rows * (far - near))
    a, c = np.meshgrid(along, across)
    # cv2 counts from pixel centres, boxes from pixel corners.
    at_x = (x + a * np.cos(angle) - c * np.sin(angle) - 0.5).astype(np.float32)
    at_y = (y + a * np.sin(angle) + c * np.cos(angle) - 0.5).astype(np.float32)
    colours = cv2.remap(pixels, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    smooth = cv2.GaussianBlur(colours, (0, 0), max(0.7, SMOOTH * beam * rows / (far - near)))
    height, width = pixels.shape[:2]
    inside = (at_x >= 0) & (at_y >= 0) & (at_x <= width - 1) & (at_y <= height - 1)
    return np.asarray(smooth[inside], np.float64)


def alongside(pixels: NDArray[np.uint8], corners: Floats) -> NDArray[np.bool_]:
    """Which of the boxes (n, 4, 2) px of an RGB picture (h, w, 3) lie alongside something; see the rule above."""
    out = np.zeros(len(corners), bool)
    for i, box in enumerate(from_corners(corners)):
        strips = [_strip(pixels, box, side) for side in (-1, 1)]
        both = np.concatenate(strips)
        if len(both) < LEAST_SAMPLES:
            continue
        light = both.mean(1)
        water = np.median(both[light <= np.quantile(light, DARKEST)], 0)
        unlike = [(np.abs(s - water).max(1) > UNLIKE).mean() for s in strips if len(s) >= LEAST_SAMPLES]
        out[i] = max(unlike, default=0.0) >= SHARE
    return out
