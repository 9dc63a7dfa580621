"""Read TIFF, GeoTIFF and Cloud Optimized GeoTIFF by windows through rasterio: only the blocks that a window touches."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from rasterio.enums import ColorInterp, Interleaving

from edge.errors import SceneError
from edge.geometry import Window
from edge.georef import GDAL_ERRORS, Georef
from edge.scene_bands import choose_bands, is_plain_8_bit, pixel_type
from edge.scene_blocks import Blocks
from edge.scene_cache import MOST_BYTES
from edge.scene_gdal import GdalFile
from edge.scene_overview import best_overview
from edge.scene_source import COLOUR
from edge.stretch import SAMPLE_SIDE, Stretch, Stretcher, fit

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.scale import Pixels, Valid
    from edge.scene_source import PixelSource, SceneOptions

_THREADS = str(min(4, os.cpu_count() or 1))
"""For blocks that are decoded side by side: GDAL has a pool of them for each file."""
_BLOCK_BYTES, _BLOCK_BYTES_PER_PX = 64 * 2**20, 16
"""Of a block, decoded; GDAL decodes it whole, with all of its bands, however few px of the scene lie in it."""
_TILE_ROWS = 1024
"""Rows that a row of tiles needs, roughly."""
_SAMPLED_WHOLE = 16 * 2**20
"""Px up to which a scene without overviews is sampled by a decimated read, which decodes it all once."""
_PATCHES, _PATCH = 32, 32
"""Larger ones give a grid of 32 x 32 patches of 32 x 32 px."""


class GeoTiff:
    """An open TIFF. Not thread-safe: `edge.scene.Scene` lets one thread in at a time."""

    def __init__(self, tiff: GdalFile, options: SceneOptions) -> None:
        """Open, choose bands, fit the stretch. The file is closed with this, and where this fails.

        Raises:
            SceneError: not a whole TIFF, or one whose px make no picture.
        """
        self.warnings: list[str] = []
        self._tiff, self._subject = tiff, tiff.subject
        self._open_files: list[Any] = []
        self._overviews: dict[int, tuple[PixelSource, int] | None] = {}
        try:
            file = self._open()
            rows, columns = file.block_shapes[0]
            if columns < file.width and file.compression is not None:
                file = self._open(NUM_THREADS=_THREADS)  # strips are too small a task for threads
            self._file = file
            self.width, self.height = int(file.width), int(file.height)
            self._check(options.max_pixels)
            self.synthetic = file.tags().get("SYNTHETIC") == "YES"
            self.georef = self._locate()
            self._blocks = Blocks(self._subject, file, self._choose(options.bands))
            self.grid = self._blocks.grid
            self._blocks.stretcher = self._fit(options.stretch)
            self.stretch: Stretch | None = self._blocks.stretcher.stretch if self._blocks.stretcher else None
            if columns >= self.width and max(rows, _TILE_ROWS) * self.width * COLOUR > MOST_BYTES:
                self.warnings.append(
                    "is stored in strips too large to keep, so reading is slow: write it anew as a tiled TIFF, for"
                    " example gdal_translate -co TILED=YES -co COMPRESS=DEFLATE"
                )
        except GDAL_ERRORS as error:  # also of what was read earlier, and told late
            self.close()
            raise self._tiff.not_whole(error) from error
        except BaseException:
            self.close()
            raise

    def _open(self, **how: Any) -> Any:  # noqa: ANN401 - rasterio has no types
        """A dataset of this file, which is closed with it."""
        file = self._tiff.open(**how)
        self._open_files.append(file)
        return file

    def _check(self, max_pixels: int) -> None:
        """Refuse what cannot be read window by window, or is not made of real numbers."""
        if pixel_type(self._file).kind not in "uif":
            mend = "write its amplitude to a new file first"
            raise SceneError(self._subject, f"its pixels are complex numbers ({self._file.dtypes[0]})", mend)
        rows, columns = self._file.block_shapes[0]
        if rows * columns > max_pixels:
            cause = f"one block of it is {columns:,} x {rows:,} pixels, over the limit of {max_pixels:,}"
            raise SceneError(self._subject, cause, "write it anew as a tiled TIFF, or raise --max-pixels")
        together = self._file.count if self._file.interleaving == Interleaving.pixel else 1
        size = rows * columns * together * pixel_type(self._file).itemsize
        if size > _BLOCK_BYTES + _BLOCK_BYTES_PER_PX * self.width * self.height:
            cause = f"one block of it is {size:,} bytes, far more than {self.width:,} x {self.height:,} pixels need"
            raise SceneError(self._subject, cause, "write it anew as a tiled TIFF, its bands one after the other")
        if ColorInterp.cyan in self._file.colorinterp:
            raise SceneError(self._subject, "is a CMYK TIFF, which has no red, green and blue", "save it as RGB")
        pages = len(self._file.subdatasets)
        if pages > 1:
            self.warnings.append(f"has {pages} pages: only the first is read")

    def _locate(self) -> Georef | None:
        """The georeferencing, where it is a transform and a CRS."""
        crs, transform = self._file.crs, self._file.transform
        if crs is not None and not transform.is_identity:
            try:
                return Georef(crs, transform)
            except ValueError as error:
                self.warnings.append(f"is not georeferenced: {error}")
        elif not transform.is_identity:
            self.warnings.append("has a geotransform but no CRS, so it is not georeferenced: set one by gdal_edit")
        elif self._file.gcps[0] or self._file.rpcs:
            by = "ground control points" if self._file.gcps[0] else "rational polynomials (RPC)"
            self.warnings.append(f"is georeferenced only by {by}, which are not used: warp it first by gdalwarp")
        return None

    def _choose(self, wanted: tuple[int, ...] | None) -> tuple[int, ...]:
        """Bands to read, from 1: as asked for, or as the file says."""
        if wanted is None:
            bands, warning = choose_bands(self._file)
            self.warnings += [warning] if warning else []
            return bands
        if max(wanted) > self._file.count:
            raise SceneError(
                self._subject, f"has {self._file.count} bands, not {max(wanted)}", "choose others by --bands"
            )
        return wanted

    def _fit(self, percentiles: tuple[float, float]) -> Stretcher | None:
        """The stretch for px that are not plain 8 bit. Where nothing is valid, a warning."""
        needed = self._blocks.palette is None and not is_plain_8_bit(self._file)
        if not needed and self._blocks.all_valid:
            return None
        samples = self._sample()
        if len(samples[0]) == 0:
            self.warnings.append("no valid pixel was found in it: it is nodata, masked or NaN")
        return Stretcher(fit(samples, percentiles), pixel_type(self._file)) if needed else None

    def _sample(self) -> list[NDArray[Any]]:
        """Valid raw px (n,) of each band that stand for the whole scene, from a regular grid."""
        if self.width * self.height <= _SAMPLED_WHOLE or self._file.overviews(self._blocks.bands[0]):
            return self._decimated()
        parts = [_valid_px(*self._blocks.raw(patch)) for patch in _patches(self.width, self.height)]
        samples = [np.concatenate(bands) for bands in zip(*parts, strict=True)]
        return samples if len(samples[0]) > 0 else self._decimated()

    def _decimated(self) -> list[NDArray[Any]]:
        """Valid raw px (n,) of each band from the whole scene, out of overviews where there are any."""
        step = -(-max(self.width, self.height) // SAMPLE_SIDE)
        shape = -(-self.height // step), -(-self.width // step)
        return _valid_px(*self._blocks.raw(Window(0, 0, self.width, self.height), shape))

    def read_into(self, window: Window, pixels: Pixels) -> Valid | None:
        """Fill RGB (h, w, 3) of a window inside the frame; validity (h, w), None where all are valid."""
        return self._blocks.read_into(window, pixels)

    def coarse(self, down: int) -> tuple[PixelSource, int] | None:
        """The largest overview whose factor divides `down` and whose px are means of the file's; and that factor."""
        if down not in self._overviews:
            self._overviews[down] = best_overview(self._blocks, down, lambda level: self._open(OVERVIEW_LEVEL=level))
        return self._overviews[down]

    def close(self) -> None:
        """Close the file."""
        for file in self._open_files:
            file.close()
        self._tiff.close()


def _valid_px(raw: NDArray[Any], valid: Valid | None) -> list[NDArray[Any]]:
    """Px (n,) of each band of `raw` (bands, h, w), those that are valid (h, w)."""
    return [band.ravel() if valid is None else band[valid] for band in raw]


def _patches(width: int, height: int) -> list[Window]:
    """Small windows on a regular grid over a large scene."""
    columns = [(2 * i + 1) * width // (2 * _PATCHES) for i in range(_PATCHES)]
    rows = [(2 * i + 1) * height // (2 * _PATCHES) for i in range(_PATCHES)]
    return [Window(x, y, min(_PATCH, width - x), min(_PATCH, height - y)) for y in rows for x in columns]


def tiff_size(path: Path) -> tuple[int, int]:
    """Width and height of a TIFF, px, by its header alone.

    Raises:
        SceneError: not a whole TIFF.
    """
    with GdalFile(path).open() as file:
        return int(file.width), int(file.height)
