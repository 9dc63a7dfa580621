"""What is drawn where a scene cannot be read: stripes, so that nobody takes it for dark water."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edge.geometry import Window
    from edge.scale import Pixels

WIDE_PX = 8
"""Of a stripe, in the picture that is looked at."""


def hatching(window: Window, wide_px: int = WIDE_PX) -> Pixels:
    """Diagonal stripes (h, w, 1) that go on from window to window."""
    x = np.arange(window.x, window.right)[None, :, None]
    y = np.arange(window.y, window.bottom)[:, None, None]
    return np.where((x + y) // wide_px % 2, 70, 110).astype(np.uint8)
