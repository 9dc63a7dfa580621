"""Keep decoded rows of a scene that is stored in strips as wide as itself.

Reading a tile out of strips decodes them from side to side. Without this, a row of thirty tiles would decode them
thirty times, because they outgrow GDAL's own cache.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from edge.geometry import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.scale import Pixels, Valid

CAPACITY_PX = 48 * 2**20
"""Of RGB and validity, 4 bytes a px: 192 MB."""
_CHUNK_ROWS = 64


class RowCache:
    """Serves windows from whole rows, in chunks; the chunks used least recently are dropped first."""

    def __init__(self, read: Callable[[Window], tuple[Pixels, Valid]], size: tuple[int, int], strip_rows: int) -> None:
        """Read through `read` from a scene of `size` (width, height) px whose strips have `strip_rows` rows."""
        self._read = read
        self._width, self._height = size
        self._rows = strip_rows * max(1, _CHUNK_ROWS // strip_rows)
        self._capacity = CAPACITY_PX // (self._rows * self._width)
        self._chunks: OrderedDict[int, tuple[Pixels, Valid]] = OrderedDict()

    def read(self, window: Window) -> tuple[Pixels, Valid]:
        """RGB (h, w, 3) and validity (h, w) of a window inside the frame."""
        first, last = window.y // self._rows, (window.bottom - 1) // self._rows
        if last - first >= self._capacity:
            return self._read(window)
        pixels = np.empty((window.height, window.width, 3), np.uint8)
        valid = np.empty((window.height, window.width), np.bool_)
        for index in range(first, last + 1):
            top = index * self._rows
            chunk_pixels, chunk_valid = self._chunk(index)
            start, stop = max(window.y, top), min(window.bottom, top + self._rows)
            source = (slice(start - top, stop - top), slice(window.x, window.right))
            target = slice(start - window.y, stop - window.y)
            pixels[target], valid[target] = chunk_pixels[source], chunk_valid[source]
        return pixels, valid

    def _chunk(self, index: int) -> tuple[Pixels, Valid]:
        """Whole rows index * rows and on, kept or read."""
        if index not in self._chunks:
            while len(self._chunks) >= self._capacity:
                self._chunks.popitem(last=False)
            top = index * self._rows
            self._chunks[index] = self._read(Window(0, top, self._width, min(self._rows, self._height - top)))
        self._chunks.move_to_end(index)
        return self._chunks[index]
