"""A source at 1 / down of its px, as exact means; where its px are compressed, each block of them is decoded once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import SceneError
from edge.geometry import Window
from edge.scale import shrink
from edge.scene_cache import MOST_BYTES, Cell, CellCache
from edge.scene_source import COLOUR

if TYPE_CHECKING:
    from edge.scale import Pixels, Valid
    from edge.scene_source import PixelSource

_PIECE_PX = 2 * 2**20
"""Source px that are read at once: bounds memory where a working px is made of many."""
_CELL_PX = 2**20
"""Source px that a cell has, roughly: enough blocks for GDAL to decode them side by side, and little to waste."""
_CELL_ROWS, _STRIP_ROWS = 256, 64
"""Rows that a cell has at least; fewer where it is as wide as the scene."""
_MOST_CELL_PX = 8 * _CELL_PX
"""Where blocks and means would only fit together in larger cells, some blocks are decoded twice."""
_TILE_ROWS = 1024
"""Rows that a row of tiles needs, roughly."""
_WASTE = 16
"""A window whose cells would take more px than so many times its own is read by itself: it is no tile."""


class Frame:
    """All of a source at one scale."""

    def __init__(self, source: PixelSource, down: int) -> None:
        """Nothing is read yet. A px of the frame is the mean of down x down px of the source."""
        self.source, self.down = source, down
        self.width, self.height = -(-source.width // down), -(-source.height // down)

    def read_into(self, window: Window, pixels: Pixels) -> Valid | None:
        """Fill RGB (h, w, 3) of a window inside the frame. Validity (h, w), None where all are valid.

        Raises:
            SceneError: the file is cut off or damaged there.
        """
        return self.read_plain(window, pixels)

    def read_plain(self, window: Window, pixels: Pixels) -> Valid | None:
        """Read from the source, whatever is kept of it, in pieces of bounded size."""
        valid = None
        rows = max(1, _PIECE_PX // (window.width * self.down**2))
        for y in range(window.y, window.bottom, rows):
            piece = Window(window.x, y, window.width, min(rows, window.bottom - y))
            at = slice(y - window.y, piece.bottom - window.y)
            valid = join(valid, pixels, np.s_[at, :], self._piece(piece, pixels[at]))
        return valid

    def _piece(self, window: Window, pixels: Pixels) -> Valid | None:
        if self.down == 1:
            return self.source.read_into(window, pixels)
        part = self.in_source(window)
        fine = np.empty((part.height, part.width, COLOUR), np.uint8)
        valid = self.source.read_into(part, fine)
        pixels[:], coarse = shrink(fine, valid, self.down)
        return coarse

    def in_source(self, window: Window) -> Window:
        """The px of the source that make up a window."""
        x, y = window.x * self.down, window.y * self.down
        right = min(window.right * self.down, self.source.width)
        return Window(x, y, right - x, min(window.bottom * self.down, self.source.height) - y)


class CellFrame(Frame):
    """A frame of a source whose px come in blocks, kept in cells: a few whole blocks each, at the frame's scale."""

    def __init__(self, source: PixelSource, down: int, cache: CellCache) -> None:
        """Lay cells over the blocks of the source; none is read yet."""
        super().__init__(source, down)
        self._cache = cache
        grid = source.grid or (1, 1)
        self._strips = grid[1] >= source.width
        rows, columns = _cell_side(grid, down, source.width)
        self._rows, self._columns = rows // down, columns // down
        self.fits = self._rows * self._columns * COLOUR <= MOST_BYTES
        """Whether a cell can be kept at all."""
        rows = _TILE_ROWS + (2 if self._strips else 1) * self._rows
        room = self.width if self._strips else self.width + self._columns
        cache.allow(rows * room * COLOUR)

    def read_into(self, window: Window, pixels: Pixels) -> Valid | None:
        """As Frame.read_into."""
        cells = self._touched(window)
        self._cache.visit(self.in_source(window))
        if not self.fits or self._wasteful(window, cells):
            return self.read_plain(window, pixels)
        valid = None
        for part in cells:
            cell = self._cell(part)
            x, y = max(part.x, window.x), max(part.y, window.y)
            right, bottom = min(part.right, window.right), min(part.bottom, window.bottom)
            at = np.s_[y - window.y : bottom - window.y, x - window.x : right - window.x]
            if cell is None:
                seen = self.read_plain(Window(x, y, right - x, bottom - y), pixels[at])
            else:
                inside = np.s_[y - part.y : bottom - part.y, x - part.x : right - part.x]
                pixels[at] = cell.pixels[inside]
                seen = None if cell.valid is None else cell.valid[inside]
            valid = join(valid, pixels, at, seen)
        return valid

    def _touched(self, window: Window) -> list[Window]:
        """The cells that share px with a window, row by row, as windows."""
        columns = range(window.x // self._columns * self._columns, window.right, self._columns)
        rows = range(window.y // self._rows * self._rows, window.bottom, self._rows)
        return [
            Window(x, y, min(self._columns, self.width - x), min(self._rows, self.height - y))
            for y in rows
            for x in columns
        ]

    def _wasteful(self, window: Window, cells: list[Window]) -> bool:
        """Whether the cells that are not kept hold far more than the window. Strips cannot be decoded in part."""
        missing = sum(cell.width * cell.height for cell in cells if self._place(cell) not in self._cache)
        return not self._strips and missing > _WASTE * window.width * window.height

    def _place(self, cell: Window) -> tuple[int, int, int]:
        return self.down, cell.y * self.down, cell.x * self.down

    def _cell(self, part: Window) -> Cell | None:
        """A cell, kept or decoded; None where a part of it cannot be."""
        place = self._place(part)
        cell = self._cache.get(place)
        if cell is None and place not in self._cache.broken:
            pixels = np.empty((part.height, part.width, COLOUR), np.uint8)
            try:
                cell = Cell(pixels, self.read_plain(part, pixels))
            except SceneError:  # only what a window asks for may fail it
                self._cache.broken.add(place)
                return None
            self._cache.put(place, cell)
        return cell


def _cell_side(grid: tuple[int, int], down: int, width: int) -> tuple[int, int]:
    """Rows and columns of cells, in px of the source: whole means, and whole blocks where that is affordable."""
    rows, columns = math.lcm(grid[0], down), math.lcm(grid[1], down)
    strips = grid[1] >= width
    if strips:
        columns = -(-width // down) * down
    else:
        columns *= -(-_CELL_PX // (_CELL_ROWS * columns)) if rows <= _CELL_ROWS else -(-_CELL_PX // (rows * columns))
    rows *= max(1, (_STRIP_ROWS if strips else _CELL_ROWS) // rows)
    if rows * columns > max(_MOST_CELL_PX, grid[0] * grid[1]):
        rows = max(1, grid[0] // down) * down
        columns = columns if strips else max(1, grid[1] // down) * down
    return rows, columns


def join(valid: Valid | None, pixels: Pixels, at: tuple[slice, slice], seen: Valid | None) -> Valid | None:
    """Put the validity of a part into that of all `pixels` (h, w, 3); None stands for all valid."""
    if seen is None:
        return valid
    if valid is None:
        valid = np.ones(pixels.shape[:2], np.bool_)
    valid[at] &= seen
    return valid
