"""Decode windows of an open TIFF to RGB of 8 bits: bands, palette, stretch and validity in one place.

`file` is an open rasterio dataset; rasterio has no types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
import rasterio.windows

from edge.errors import SceneError
from edge.georef import GDAL_ERRORS
from edge.scene_bands import all_valid, find_palette, read_valid
from edge.scene_source import COLOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.geometry import Window
    from edge.scale import Pixels, Valid
    from edge.stretch import Stretcher

CACHE_MB = 32
GDAL = {
    "GDAL_CACHEMAX": CACHE_MB,  # not 5 % of the machine: decoded px are kept by edge.scene_cache, in half the space
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",  # an archive folder has many files; only the sidecars of this one matter
}
AGAIN = "copy or download it again"
_READ_ERRORS: tuple[type[Exception], ...] = (*GDAL_ERRORS, MemoryError)


class Blocks:
    """The chosen bands of an open TIFF, or of one of its overviews. Not thread-safe."""

    def __init__(self, subject: object, file: Any, bands: tuple[int, ...]) -> None:  # noqa: ANN401 - no types
        """Take over the open file; errors name `subject`. `bands` from 1: one is grey or a palette's, three are RGB."""
        self.width, self.height = int(file.width), int(file.height)
        rows, columns = file.block_shapes[0]
        self.grid: tuple[int, int] | None = (int(rows), int(columns))
        self.file, self.bands = file, bands
        self.stretcher: Stretcher | None = None
        """Set where px are not 8 bit."""
        self.palette = find_palette(file, bands)
        self.all_valid = all_valid(file, bands)
        self.subject = subject

    def raw(self, window: Window, shape: tuple[int, int] | None = None) -> tuple[NDArray[Any], Valid | None]:
        """Px (bands, h, w) as stored, and validity (h, w); decimated to `shape` where that is given.

        Raises:
            SceneError: the file is cut off or damaged there.
        """
        height, width = shape or (window.height, window.width)
        raw = self._read(window, out_shape=(len(self.bands), height, width))
        valid = self._valid(window, (height, width))
        if raw.dtype.kind == "f":
            finite = np.isfinite(raw).all(0)
            valid = finite if valid is None else valid & finite
        return raw, valid

    def _read(self, window: Window, **how: Any) -> NDArray[Any]:  # noqa: ANN401 - as rasterio takes it
        part = rasterio.windows.Window(window.x, window.y, window.width, window.height)
        try:
            with rasterio.Env(**GDAL):
                raw: NDArray[Any] = self.file.read(list(self.bands), window=part, **how)
        except _READ_ERRORS as error:
            raise self._fault(window, error) from error
        return raw

    def _valid(self, window: Window, shape: tuple[int, int]) -> Valid | None:
        if self.all_valid:
            return None
        part = rasterio.windows.Window(window.x, window.y, window.width, window.height)
        try:
            with rasterio.Env(**GDAL):
                valid: Valid = read_valid(self.file, self.bands, part, shape)
        except _READ_ERRORS as error:
            raise self._fault(window, error) from error
        return valid

    def _fault(self, window: Window, error: Exception) -> SceneError:
        cause = f"columns {window.x} to {window.right}, rows {window.y} to {window.bottom} cannot be read"
        return SceneError(self.subject, f"{cause} ({first_line(error)})", AGAIN)

    def read_into(self, window: Window, pixels: Pixels) -> Valid | None:
        """Fill RGB (h, w, 3) of a window inside the frame; validity (h, w), None where all are valid."""
        if self.stretcher is None and self.palette is None and len(self.bands) == COLOUR:
            self._read(window, out=pixels.transpose(2, 0, 1))  # GDAL lays the px out itself
            valid = self._valid(window, pixels.shape[:2])
        else:
            valid = self._convert(window, pixels)
        if valid is None or valid.all():
            return None
        pixels[~valid] = 0
        return valid

    def _convert(self, window: Window, pixels: Pixels) -> Valid | None:
        """Fill RGB (h, w, 3) by way of px as stored."""
        raw, valid = self.raw(window)
        if self.palette is not None:
            colours = self.palette[raw[0]]
            pixels[:] = colours[..., :COLOUR]
            shown: Valid = colours[..., COLOUR] > 0
            return shown if valid is None else valid & shown
        for c, band in enumerate(raw):
            pixels[..., c] = self.stretcher(band, c) if self.stretcher else band
        pixels[..., len(raw) :] = pixels[..., :1]
        return valid


def first_line(error: BaseException) -> str:
    """What GDAL says, without the tail."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
