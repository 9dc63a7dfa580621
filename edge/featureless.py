"""Is a tile plain all over? Then no vessel is in it, and the network need not look.

Every vessel, and every wake, is lighter or darker than the water round it. So a tile is plain where no cell of 2 x 2 px
differs from the mean of the 62 x 62 px round it by more than FAINTEST grey levels in any colour. Of the 8,607 labelled
vessels that training may see (training/LOG.md, 16), none of 12 px or more is fainter than that, and of those of 8 to 12
px fewer than 1 in 200; a tile is left out only where all of it is plain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CELL = 2
"""Side of a cell, px: the mean of four px tames the sensor's noise, and the smallest vessels are not lost in it."""
ROUND = 31
"""Side of the neighbourhood that a cell is held against, cells."""
FAINTEST = 5
"""Grey levels."""
_BAND = 128
"""Rows that are looked at together: most tiles show something in the first of them."""
_SPARSE = 32
_LOUD = 100
"""Between px on a sparse grid, grey levels: more than any plain water, so the test can be spared."""


def is_featureless(pixels: NDArray[np.uint8], valid: NDArray[np.bool_] | None = None) -> bool:
    """Whether a tile (h, w, 3) shows nothing at all; one with px that are not valid (h, w) is never plain."""
    if valid is not None and not valid.all():
        return False
    sparse = pixels[::_SPARSE, ::_SPARSE]
    if int(sparse.max()) - int(sparse.min()) > _LOUD:
        return False
    margin = CELL * (ROUND // 2)
    return all(_is_plain(pixels[max(top - margin, 0) : top + _BAND + margin]) for top in range(0, len(pixels), _BAND))


def _is_plain(pixels: NDArray[np.uint8]) -> bool:
    height, width = pixels.shape[:2]
    size = (max(width // CELL, 1), max(height // CELL, 1))
    cells = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    mean = cv2.blur(cells, (ROUND, ROUND), borderType=cv2.BORDER_REPLICATE)
    return bool(cv2.absdiff(cells, mean).max() <= FAINTEST)
