"""Read TIFF, GeoTIFF and Cloud Optimized GeoTIFF by windows through rasterio: only the blocks that a window touches."""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
import rasterio.windows
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

from edge.errors import SceneError
from edge.geometry import Window
from edge.georef import GDAL_ERRORS, Georef
from edge.row_cache import CAPACITY_PX, RowCache
from edge.scene_bands import all_valid, choose_bands, find_palette, is_plain_8_bit, pixel_type, read_valid
from edge.scene_source import COLOUR
from edge.stretch import SAMPLE_SIDE, Stretch, Stretcher, fit

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.scale import Pixels, Valid
    from edge.scene_source import SceneOptions

_CACHE_MB = 64
_GDAL = {
    "GDAL_CACHEMAX": _CACHE_MB,  # of decoded blocks, not 5 % of the machine
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",  # an archive folder has many files; only the sidecars of this one matter
}
_READ_ERRORS: tuple[type[Exception], ...] = (*GDAL_ERRORS, MemoryError)
_AGAIN = "copy or download it again"
_WARNING_FILTERS = threading.Lock()
"""Python's warning filters are one list for all threads."""
_SAMPLED_WHOLE = 16 * 2**20
"""Px up to which a scene without overviews is sampled by a decimated read, which decodes it all once."""
_PATCHES, _PATCH = 32, 32
"""Larger ones give a grid of 32 x 32 patches of 32 x 32 px."""
_TILE_ROWS = 1024
"""Rows that a row of tiles needs, roughly; do they outgrow GDAL's cache?"""


class GeoTiff:
    """An open TIFF. Not thread-safe: `edge.scene.Scene` lets one thread in at a time."""

    def __init__(self, path: Path, options: SceneOptions) -> None:
        """Open, choose bands, fit the stretch.

        Raises:
            SceneError: not a whole TIFF, or one whose px make no picture.
        """
        self.warnings: list[str] = []
        self._path = path
        self._file = self._open()
        try:
            self.width, self.height = int(self._file.width), int(self._file.height)
            self._check(options.max_pixels)
            self.synthetic = self._file.tags().get("SYNTHETIC") == "YES"
            self.georef = self._locate()
            self._bands = self._choose(options.bands)
            self._palette = find_palette(self._file, self._bands)
            self._stretcher = self._fit(options.stretch)
            self.stretch: Stretch | None = self._stretcher.stretch if self._stretcher else None
            self._rows = self._cache_rows()
        except BaseException:
            self.close()
            raise

    def _open(self) -> Any:  # noqa: ANN401 - rasterio has no types
        """The dataset. Opening is what warns of missing georeferencing; reading does not."""
        try:
            with rasterio.Env(**_GDAL), _WARNING_FILTERS, warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                return rasterio.open(self._path.absolute(), driver="GTiff")
        except GDAL_ERRORS as error:
            raise SceneError(self._path, f"is not a whole TIFF ({_first_line(error)})", _AGAIN) from error

    def _check(self, max_pixels: int) -> None:
        """Refuse what cannot be read window by window, or is not made of real numbers."""
        if pixel_type(self._file).kind not in "uif":
            mend = "write its amplitude to a new file first"
            raise SceneError(self._path, f"its pixels are complex numbers ({self._file.dtypes[0]})", mend)
        rows, columns = self._file.block_shapes[0]
        if rows * columns > max_pixels:
            cause = f"one block of it is {columns:,} x {rows:,} pixels, over the limit of {max_pixels:,}"
            raise SceneError(self._path, cause, "write it anew as a tiled TIFF, or raise --max-pixels")
        if ColorInterp.cyan in self._file.colorinterp:
            raise SceneError(self._path, "is a CMYK TIFF, which has no red, green and blue", "save it as RGB")
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
            raise SceneError(self._path, f"has {self._file.count} bands, not {max(wanted)}", "choose others by --bands")
        return wanted

    def _cache_rows(self) -> RowCache | None:
        """A cache of rows, for strips that outgrow GDAL's."""
        rows, columns = self._file.block_shapes[0]
        row_bytes = self.width * self._file.count * pixel_type(self._file).itemsize
        if columns < self.width or row_bytes * max(rows, _TILE_ROWS) < _CACHE_MB * 2**20:
            return None
        if max(rows, _TILE_ROWS) * self.width > CAPACITY_PX:
            self.warnings.append(
                "is stored in strips too large to keep, so reading is slow: write it anew as a tiled TIFF, for example"
                " gdal_translate -co TILED=YES -co COMPRESS=DEFLATE"
            )
        return RowCache(self._convert, (self.width, self.height), rows)

    def _fit(self, percentiles: tuple[float, float]) -> Stretcher | None:
        """The stretch for px that are not plain 8 bit. Where nothing is valid, a warning."""
        needed = self._palette is None and not is_plain_8_bit(self._file)
        if not needed and all_valid(self._file, self._bands):
            return None
        samples = self._sample()
        if len(samples[0]) == 0:
            self.warnings.append("no valid pixel was found in it: it is nodata, masked or NaN")
        return Stretcher(fit(samples, percentiles), pixel_type(self._file)) if needed else None

    def _sample(self) -> list[NDArray[Any]]:
        """Valid raw px (n,) of each band that stand for the whole scene, from a regular grid."""
        if self.width * self.height <= _SAMPLED_WHOLE or self._file.overviews(self._bands[0]):
            return self._decimated()
        parts = [self._raw(patch) for patch in _patches(self.width, self.height)]
        samples = [np.concatenate([raw[c][valid] for raw, valid in parts]) for c in range(len(self._bands))]
        return samples if len(samples[0]) > 0 else self._decimated()

    def _decimated(self) -> list[NDArray[Any]]:
        """Valid raw px (n,) of each band from the whole scene, out of overviews where there are any."""
        step = -(-max(self.width, self.height) // SAMPLE_SIDE)
        raw, valid = self._raw(Window(0, 0, self.width, self.height), (-(-self.height // step), -(-self.width // step)))
        return [band[valid] for band in raw]

    def _raw(self, window: Window, shape: tuple[int, int] | None = None) -> tuple[NDArray[Any], Valid]:
        """Px (bands, h, w) as stored, and validity (h, w); decimated to `shape` where that is given."""
        part = rasterio.windows.Window(window.x, window.y, window.width, window.height)
        height, width = shape or (window.height, window.width)
        bands = list(self._bands)
        try:
            with rasterio.Env(**_GDAL):
                raw = self._file.read(bands, window=part, out_shape=(len(bands), height, width))
                valid = read_valid(self._file, self._bands, part, (height, width))
        except _READ_ERRORS as error:
            cause = f"columns {window.x} to {window.right}, rows {window.y} to {window.bottom} cannot be read"
            raise SceneError(self._path, f"{cause} ({_first_line(error)})", _AGAIN) from error
        if raw.dtype.kind == "f":
            valid &= np.isfinite(raw).all(0)
        return raw, valid

    def _convert(self, window: Window) -> tuple[Pixels, Valid]:
        """RGB (h, w, 3) and validity (h, w), read from the file."""
        raw, valid = self._raw(window)
        pixels = np.empty((*valid.shape, COLOUR), np.uint8)
        if self._palette is None:
            for c, band in enumerate(raw):
                pixels[..., c] = self._stretcher(band, c) if self._stretcher else band
            pixels[..., len(raw) :] = pixels[..., :1]
        else:
            colours = self._palette[raw[0]]
            pixels[:] = colours[..., :COLOUR]
            valid &= colours[..., COLOUR] > 0
        if not valid.all():
            pixels[~valid] = 0
        return pixels, valid

    def read(self, window: Window) -> tuple[Pixels, Valid]:
        """RGB (h, w, 3) and validity (h, w) of a window inside the frame."""
        return self._rows.read(window) if self._rows else self._convert(window)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _patches(width: int, height: int) -> list[Window]:
    """Small windows on a regular grid over a large scene."""
    columns = [(2 * i + 1) * width // (2 * _PATCHES) for i in range(_PATCHES)]
    rows = [(2 * i + 1) * height // (2 * _PATCHES) for i in range(_PATCHES)]
    return [Window(x, y, min(_PATCH, width - x), min(_PATCH, height - y)) for y in rows for x in columns]


def _first_line(error: BaseException) -> str:
    """What GDAL says, without the tail."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
