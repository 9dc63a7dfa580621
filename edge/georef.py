"""Where the px of a scene lie on the ground. Source px are continuous; (0, 0) is the outer corner of the first one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import rasterio.errors
import rasterio.warp
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS

if TYPE_CHECKING:
    from affine import Affine

    from edge.geometry import Floats

GDAL_ERRORS: tuple[type[Exception], ...] = (
    rasterio.errors.RasterioError,
    rasterio.errors.CRSError,
    CPLE_BaseError,  # has no public name, and comes through where rasterio forgets to wrap it
    UnicodeDecodeError,  # of names in a damaged file, as of its CRS
)
"""All that rasterio raises."""
WGS84 = CRS.from_epsg(4326)
_RADIUS_M = 6378137.0
_ECCENTRICITY2 = 0.00669437999014
"""Of the WGS 84 ellipsoid."""
_DISTORTION = 0.01
"""A projection within 1 % of the true scale is taken at its word: 10 m UTM px are called 10 m, not 10.004 m."""


class Georef:
    """An affine transform and a coordinate reference system."""

    def __init__(self, crs: CRS, transform: Affine) -> None:
        """Keep both, and the inverse.

        Raises:
            ValueError: the transform has no area.
        """
        if not abs(transform.determinant) > 0:
            msg = "the geotransform has no area"
            raise ValueError(msg)
        self._crs = crs
        self._forward = np.array(transform[:6], np.float64).reshape(2, 3)
        self._inverse = np.array((~transform)[:6], np.float64).reshape(2, 3)
        self.crs = str(crs.to_string())

    def to_ground(self, xy: Floats) -> Floats:
        """Source px (n, 2) -> coordinates (n, 2) of the scene's CRS, east first."""
        return _affine(self._forward, xy)

    def covers(self, width: int, height: int) -> bool:
        """Whether a scene of width x height px has a longitude and latitude all over."""
        grid = np.stack(np.meshgrid([0.0, width / 2, width], [0.0, height / 2, height]), 2).reshape(-1, 2)
        return bool(np.isfinite(self.to_lonlat(grid)).all())

    def to_lonlat(self, xy: Floats) -> Floats:
        """Source px (n, 2) -> WGS 84 longitude and latitude (n, 2), degrees; NaN where the projection has none."""
        return reproject(self._crs, WGS84, self.to_ground(xy))

    def from_lonlat(self, lonlat: Floats) -> Floats:
        """WGS 84 degrees (n, 2) -> source px (n, 2); NaN where the projection has none."""
        return self.from_crs(lonlat, WGS84)

    def from_crs(self, points: Floats, crs: CRS) -> Floats:
        """Coordinates (n, 2) of another CRS, east first -> source px (n, 2)."""
        return _affine(self._inverse, reproject(crs, self._crs, points))

    def pixel_size_m(self, width: int, height: int) -> tuple[float, float] | None:
        """Metres on the ground along a row and down a column, at the centre of a scene of width x height px.

        None where the CRS tells no metres. Projections that stretch the ground there by more than 1 % (Web Mercator
        at latitude 60 doubles it) are corrected.
        """
        nominal = self._nominal_m()
        true = self._true_m(width / 2, height / 2)
        if true is None or nominal is None:
            return nominal or true
        off = math.sqrt(nominal[0] * nominal[1] / (true[0] * true[1])) - 1
        return nominal if abs(off) <= _DISTORTION else true

    def _nominal_m(self) -> tuple[float, float] | None:
        """Pixel size by the CRS's own unit; None in degrees."""
        if self._crs.is_geographic:
            return None
        try:
            _, metres = self._crs.linear_units_factor
        except rasterio.errors.CRSError:
            return None
        sides = np.hypot(*self._forward[:, :2]) * metres
        return float(sides[0]), float(sides[1])

    def _true_m(self, x: float, y: float) -> tuple[float, float] | None:
        """Pixel size on the ellipsoid round one point."""
        around = np.array([[x - 0.5, y], [x + 0.5, y], [x, y - 0.5], [x, y + 0.5]])
        lonlat = self.to_lonlat(around)
        if not np.isfinite(lonlat).all():
            return None
        steps = lonlat[1::2] - lonlat[::2]
        steps[:, 0] = (steps[:, 0] + 180) % 360 - 180
        sides = np.hypot(*(steps * metres_per_degree(float(lonlat[:, 1].mean()))).T)
        return (float(sides[0]), float(sides[1])) if (sides > 0).all() else None


def metres_per_degree(latitude: float) -> tuple[float, float]:
    """Metres per degree of longitude and of latitude on the WGS 84 ellipsoid."""
    phi = math.radians(latitude)
    w = 1 - _ECCENTRICITY2 * math.sin(phi) ** 2
    east = _RADIUS_M * math.cos(phi) / math.sqrt(w)
    north = _RADIUS_M * (1 - _ECCENTRICITY2) / w**1.5
    return math.radians(east), math.radians(north)


def reproject(source: CRS, target: CRS, points: Floats) -> Floats:
    """Points (n, 2), east first, from one CRS to another; NaN where there is no answer."""
    points = np.asarray(points, np.float64).reshape(-1, 2)
    out = np.full(points.shape, np.nan)
    known = np.isfinite(points).all(1)
    if known.any():
        try:
            x, y = rasterio.warp.transform(source, target, points[known, 0], points[known, 1])
        except GDAL_ERRORS:
            return out
        out[known] = np.stack([x, y], 1)
    out[~np.isfinite(out).all(1)] = np.nan
    return out


def _affine(matrix: Floats, points: Floats) -> Floats:
    """A 2 x 3 affine map of points (n, 2)."""
    points = np.asarray(points, np.float64).reshape(-1, 2)
    x, y = points.T
    # Not a matrix product: BLAS rounds a point differently in different company.
    return np.stack([a * x + b * y + c for a, b, c in matrix], 1)
