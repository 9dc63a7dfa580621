"""A scene as square tiles at halved scales: which there are, and how the coarse ones are made once and kept.

Level 0 is the coarsest, where the whole scene fits into one tile; the last level has the scene's own px, and each level
has twice the px a side of the one before. Tiles count from 0, from the left and from the top; those at the right and
at the bottom are as narrow as what is left. A px of a level is the mean of down x down px of the scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.errors import SceneError, StoppedError
from edge.geometry import Window
from edge.scale import Scale, shrink
from edge.write.hatching import hatching

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from edge.scale import Pixels
    from edge.scene import Scene

TILE_PX = 256
PREVIEW_PX = 4096
"""Longest side of the finest level that is made in advance: coarser tiles would each read much of the scene."""
_JPEG_QUALITY = 85
_OFFSET_BYTES = 8


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The levels of a scene of so many px."""

    width: int
    """Px of the scene."""
    height: int
    """Px of the scene."""

    @property
    def levels(self) -> int:
        """How many there are."""
        return 1 + (-(-max(self.width, self.height) // TILE_PX) - 1).bit_length()

    @property
    def coarse(self) -> int:
        """How many of them, from level 0 on, are made in advance."""
        return sum(max(self.size(level)) <= PREVIEW_PX for level in range(self.levels))

    def down(self, level: int) -> int:
        """Px of the scene a side of a px of a level."""
        return 1 << (self.levels - 1 - level)

    def size(self, level: int) -> tuple[int, int]:
        """Width and height of a level, px of it."""
        return Scale(down=self.down(level)).size(self.width, self.height)

    def grid(self, level: int) -> tuple[int, int]:
        """Columns and rows of tiles of a level."""
        width, height = self.size(level)
        return -(-width // TILE_PX), -(-height // TILE_PX)

    def window(self, level: int, column: int, row: int) -> Window | None:
        """Where a tile lies, px of its level; None where there is no such tile."""
        if not 0 <= level < self.levels:
            return None
        columns, rows = self.grid(level)
        if not (0 <= column < columns and 0 <= row < rows):
            return None
        width, height = self.size(level)
        x, y = column * TILE_PX, row * TILE_PX
        return Window(x, y, min(TILE_PX, width - x), min(TILE_PX, height - y))

    def tiles(self, levels: int) -> Iterator[tuple[int, int, int]]:
        """Level, column and row of all tiles of the first levels, in the order in which they are kept."""
        for level in range(levels):
            columns, rows = self.grid(level)
            for row in range(rows):
                for column in range(columns):
                    yield level, column, row

    def place(self, level: int, column: int, row: int) -> int:
        """Number of a tile in that order."""
        before = sum(columns * rows for columns, rows in map(self.grid, range(level)))
        return before + row * self.grid(level)[0] + column


def encode(pixels: Pixels) -> bytes:
    """RGB (h, w, 3) -> bytes of a JPEG."""
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    if not done:
        msg = f"OpenCV cannot encode {pixels.shape} as JPEG"
        raise RuntimeError(msg)
    return data.tobytes()


def read(scene: Scene, window: Window, down: int) -> Pixels:
    """RGB (h, w, 3) of a window at 1 / down; hatched where the file is damaged, as on the overlay."""
    try:
        return scene.read(window, Scale(down=down), quick=True)[0]
    except SceneError:  # the document says so already, by tiles that failed
        return hatching(window).repeat(3, 2)


def pack(scene: Scene, pyramid: Pyramid, stop: threading.Event) -> bytes:
    """The tiles of all coarse levels as one file: offsets (n + 1,) of 8 bytes each, then JPEG after JPEG.

    Raises:
        StoppedError: `stop` was set meanwhile.
    """
    level = pyramid.coarse - 1
    picture = _whole(scene, pyramid, level, stop)
    cut: dict[int, list[bytes]] = {}
    while True:
        columns, rows = pyramid.grid(level)
        windows = (pyramid.window(level, column, row) for row in range(rows) for column in range(columns))
        cut[level] = [encode(picture[w.y : w.bottom, w.x : w.right]) for w in windows if w]
        if level == 0:
            break
        picture = shrink(picture, None, 2)[0]
        level -= 1
    parts = [tile for level in sorted(cut) for tile in cut[level]]
    sizes = np.array([0, *map(len, parts)], np.dtype("<i8"))
    offsets = sizes.cumsum() + _OFFSET_BYTES * len(sizes)
    return offsets.astype("<i8").tobytes() + b"".join(parts)


def _whole(scene: Scene, pyramid: Pyramid, level: int, stop: threading.Event) -> Pixels:
    """A level, RGB (h, w, 3), read in strips from the top: that is the cheap order, and can be stopped."""
    width, height = pyramid.size(level)
    picture = np.empty((height, width, 3), np.uint8)
    for y in range(0, height, TILE_PX):
        if stop.is_set():
            raise StoppedError(scene.name, "the server is stopping", "try again")
        window = Window(0, y, width, min(TILE_PX, height - y))
        picture[y : window.bottom] = read(scene, window, pyramid.down(level))
    return picture


def unpack(path: Path, number: int) -> bytes:
    """One tile of a file that `pack` made.

    Raises:
        OSError: the file is not there, or cannot be read.
    """
    with path.open("rb") as file:
        file.seek(_OFFSET_BYTES * number)
        start, end = np.frombuffer(file.read(2 * _OFFSET_BYTES), "<i8")
        file.seek(start)
        return file.read(end - start)
