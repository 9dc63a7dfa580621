"""Find an overview of a TIFF that stands for its px: a copy at 1/2, 1/4, ... that the file brings along.

Few files say how their overviews were made, so samples are compared with the exact means. Overviews by `nearest` are
one px out of each block: a vessel of few px may be missing from them, and noise is not averaged. Their difference from
the means is about as large as that of the px themselves. Overviews by `average` differ by rounding alone, and those by
smooth kernels (`cubic` is what GDAL's COG driver takes) by a small part of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import SceneError
from edge.geometry import Window
from edge.georef import GDAL_ERRORS
from edge.scene_blocks import Blocks
from edge.scene_frame import Frame
from edge.scene_source import COLOUR

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.scale import Pixels, Valid
    from edge.scene_source import PixelSource

_SAMPLES, _SIDE = 4, 32
"""A grid of 4 x 4 squares of 32 x 32 px of the overview is compared."""
_SHARE = 0.25
"""Of the variance of px inside blocks: an overview that lies further from the means is not one of means."""
_ROUNDING = 1.0
"""Variance that repeated rounding may bring in, levels squared."""
_DAMAGED: tuple[type[Exception], ...] = (SceneError, *GDAL_ERRORS)


def best_overview(blocks: Blocks, down: int, open_level: Callable[[int], Any]) -> tuple[PixelSource, int] | None:
    """The overview with the largest factor that divides `down`, and that factor; None where none will do.

    Args:
        blocks: the file at full resolution.
        down: source px a side of a working px.
        open_level: opens an overview, by its place in the file's list.
    """
    if blocks.palette is not None:  # means of colours are not means of their numbers
        return None
    try:
        factors = blocks.file.overviews(blocks.bands[0])
    except GDAL_ERRORS:  # they are damaged; the px need not be
        return None
    for factor in sorted((f for f in factors if f > 1 and down % f == 0), reverse=True):
        overview = _judged(blocks, factor, open_level, factors.index(factor))
        if overview:
            return overview, factor
    return None


def _judged(blocks: Blocks, factor: int, open_level: Callable[[int], Any], level: int) -> Blocks | None:
    """One overview, or None where it does not stand for the px or is damaged."""
    try:
        overview = Blocks(blocks.subject, open_level(level), blocks.bands)
        overview.stretcher = blocks.stretcher
        return overview if _stands_for(overview, Frame(blocks, factor)) else None
    except _DAMAGED:  # what the scene itself lacks is told when it is read
        return None


def _stands_for(overview: Blocks, means: Frame) -> bool:
    """Whether samples of an overview agree with the exact means."""
    if (overview.width, overview.height) != (means.width, means.height):
        return False
    error = spread = count = 0.0
    for window in _squares(means.width, means.height):
        fine = means.in_source(window)
        pixels, valid = _read(means.source, fine)
        wanted, wanted_valid = _read(means, window)
        seen, seen_valid = _read(overview, window)
        if not (wanted_valid == seen_valid).all():
            return False
        near = wanted.repeat(means.down, 0).repeat(means.down, 1)[: fine.height, : fine.width]
        error += float(np.square(seen.astype(np.float32) - wanted)[wanted_valid].sum())
        spread += float(np.square(pixels.astype(np.float32) - near)[valid].sum()) / means.down**2
        count += COLOUR * int(wanted_valid.sum())
    # Where all px are alike, every overview looks right, and none is proven to be.
    return spread > _ROUNDING * count and error <= _SHARE * spread + _ROUNDING * count


def _read(source: PixelSource | Frame, window: Window) -> tuple[Pixels, Valid]:
    """RGB (h, w, 3) and validity (h, w)."""
    pixels = np.empty((window.height, window.width, COLOUR), np.uint8)
    valid = source.read_into(window, pixels)
    return pixels, np.ones(pixels.shape[:2], np.bool_) if valid is None else valid


def _squares(width: int, height: int) -> list[Window]:
    """Windows on a regular grid, the last ones at the right and the lower edge: a drift is largest there."""
    side_x, side_y = min(_SIDE, width), min(_SIDE, height)
    columns = {round(i * (width - side_x) / (_SAMPLES - 1)) for i in range(_SAMPLES)}
    rows = {round(i * (height - side_y) / (_SAMPLES - 1)) for i in range(_SAMPLES)}
    return [Window(x, y, side_x, side_y) for y in sorted(rows) for x in sorted(columns)]
