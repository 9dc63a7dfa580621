"""Keep decoded cells of a scene within bounded memory, so that going through it row by row decodes each of them once.

What is dropped first is what such a pass needs last: cells of earlier passes, then the topmost, then the leftmost. To
keep those used last, as most caches do, would take twice the memory: a row of tiles passes by before the next one comes
back to the rows that both see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.geometry import Window
    from edge.scale import Pixels, Valid

MOST_BYTES = 128 * 2**20
"""A row of 640 px tiles of a scene 40,000 px wide, in blocks of 512 px, needs 123 MB."""

Place = tuple[int, int, int]
"""Of a cell: the factor of its frame, then its top and left in px of the source."""


@dataclass(slots=True)
class Cell:
    """Part of a frame, decoded."""

    pixels: Pixels
    """RGB (h, w, 3)."""
    valid: Valid | None
    """Shape (h, w); None where all are valid."""
    run: int = 0
    """The pass in which it was used last."""

    @property
    def size(self) -> int:
        """Bytes."""
        return self.pixels.nbytes + (0 if self.valid is None else self.valid.nbytes)


class CellCache:
    """Cells by place. Not thread-safe: `edge.scene.Scene` lets one thread in at a time."""

    def __init__(self) -> None:
        """Start empty, with room for nothing: frames ask for the room that they need."""
        self.broken: set[Place] = set()
        """Cells that cannot be decoded as a whole: a part of their file is missing or damaged."""
        self._cells: dict[Place, Cell] = {}
        self._capacity = self._bytes = self._run = self._top = 0

    def allow(self, size: int) -> None:
        """Let it grow to `size` bytes, or to MOST_BYTES where that is less."""
        self._capacity = max(self._capacity, min(size, MOST_BYTES))

    def visit(self, window: Window) -> None:
        """Take note of where the next read is, in px of the source: one that lies above the last begins a new pass."""
        if window.bottom <= self._top:
            self._run += 1
        self._top = window.y

    def __contains__(self, place: Place) -> bool:
        """Whether a cell is kept."""
        return place in self._cells

    def get(self, place: Place) -> Cell | None:
        """The cell, if it is kept."""
        cell = self._cells.get(place)
        if cell is not None:
            cell.run = self._run
        return cell

    def put(self, place: Place, cell: Cell) -> None:
        """Keep a cell. One that is larger than all the room is the only one, until the next."""
        cell.run = self._run
        while self._cells and self._bytes + cell.size > self._capacity:
            first = min(self._cells, key=lambda at: (self._cells[at].run, *at[1:]))
            self._bytes -= self._cells.pop(first).size
        self._cells[place] = cell
        self._bytes += cell.size

    def clear(self) -> None:
        """Let go of all cells."""
        self._cells.clear()
        self._bytes = 0
