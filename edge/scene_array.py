"""A scene whose px lie in memory already, as they come from a camera, a tensor of a request, or another program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import SceneError
from edge.scene import Scene
from edge.scene_source import COLOUR, GREY, SceneOptions

if TYPE_CHECKING:
    from edge.geometry import Window
    from edge.georef import Georef
    from edge.scale import Pixels, Valid
    from edge.stretch import Stretch


def array_scene(name: str, pixels: Pixels, options: SceneOptions | None = None) -> Scene:
    """A scene of an array; answers are those of a file that holds the same px.

    Args:
        name: what the scene is called, as a file name.
        pixels: RGB, shape (h, w, 3) uint8, of any strides, read-only or mapped from a file too. It is not copied, and
            must stay as it is until the scene is closed.
        options: how to read it; there is nothing to stretch.

    Raises:
        SceneError: no picture of this shape and type, none of the bands that are asked for, or one that is too large.
    """
    options = options or SceneOptions()
    path = Path(name or "scene")
    return Scene(path, _Array(path, pixels, options), options.gsd_m)


class _Array:
    """An `edge.scene_source.Source` of px in memory."""

    georef: Georef | None = None
    grid: tuple[int, int] | None = None
    stretch: Stretch | None = None
    synthetic = False

    def __init__(self, path: Path, pixels: Pixels, options: SceneOptions) -> None:
        """Check the array, choose bands."""
        _check(path, pixels, options)
        self.warnings: list[str] = []
        self.height, self.width = pixels.shape[:2]
        self._stored = np.asarray(pixels)  # a view: plain arrays are sliced faster than those of mapped files
        bands = [b - 1 for b in options.bands or (1, 2, 3)]
        self._bands = None if bands == [0, 1, 2] else bands * (COLOUR if len(bands) == GREY else 1)

    def read_into(self, window: Window, pixels: Pixels) -> Valid | None:
        """Fill RGB (h, w, 3) of a window inside the frame; all px are valid."""
        part = self._stored[window.y : window.bottom, window.x : window.right]
        pixels[:] = part if self._bands is None else part[..., self._bands]
        return None

    def coarse(self, down: int) -> None:
        """Nothing: an array has its px only."""

    def close(self) -> None:
        """Let go of the px."""
        self._stored = np.empty((0, 0, COLOUR), np.uint8)


def _check(path: Path, pixels: Pixels, options: SceneOptions) -> None:
    """Refuse what is no picture, or too large a one."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != COLOUR or not pixels.size:  # noqa: PLR2004 - row, column, band
        cause = f"is an array of shape {pixels.shape} and type {pixels.dtype}"
        raise SceneError(path, cause, "give RGB of shape (h, w, 3) and type uint8, with no side of 0")
    height, width = pixels.shape[:2]
    if height * width > options.max_pixels:
        cause = f"is {width:,} x {height:,} pixels, over the limit of {options.max_pixels:,} pixels"
        raise SceneError(path, cause, "cut it, or raise the limit if memory allows")
    if options.bands and max(options.bands) > COLOUR:
        raise SceneError(path, f"has {COLOUR} bands, not {max(options.bands)}", "choose others by --bands")
