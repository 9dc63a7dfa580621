"""Areas of interest: GeoJSON polygons, brought to the px of a scene.

The file holds polygons in any of GeoJSON's wrappings. For a georeferenced scene the coordinates are WGS 84 longitude
and latitude (RFC 7946), unless an old-style "crs" member names another system. For a scene that is not georeferenced
they are px of the scene, x to the right and y down. Holes are left out; of several polygons the union counts.

A working px is inside when its centre is. Masks and `contains` come from one piece of arithmetic (edge.polygon), so a
mask is the same in whichever window it is asked for, and agrees with `contains` to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.aoi_geojson import parse
from edge.errors import AoiError
from edge.geometry import Window
from edge.georef import WGS84
from edge.polygon import Polygon
from edge.scale import Scale

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from rasterio.crs import CRS

    from edge.geometry import Floats
    from edge.scene import Scene

    Rings = list[Floats]

_STEP_DEGREES, _STEP_METRES = 0.005, 500.0
"""Edges are straight in the file's system; pieces of 500 m stay within a few cm of that in the scene's."""
_MOST_PIECES = 2000
MOST_POINTS = 500_000
"""Of an area, when its edges are cut into pieces."""
MOST_CORNERS, MOST_POLYGONS, MOST_CROSSINGS = 200_000, 10_000, 2000
"""Corners and polygons of an area, and outlines that a row of px of the scene crosses: what a mask costs follows them.
A coast in all its detail has a tenth of that; a file made to do harm can take all memory otherwise."""
_SLACK = 1e-9
_SIMPLER = "draw a simpler one, for example by ogr2ogr -simplify"
_LONGITUDES, _LATITUDES = 180.0, 90.0
_ROWS_AT_ONCE = 256


class Aoi:
    """Polygons in source px."""

    def __init__(self, polygons: list[Rings], warnings: list[str] | None = None) -> None:
        """From polygons, each a list of rings (n, 2): its outline and holes."""
        self.warnings = warnings or []
        points = np.concatenate([ring for rings in polygons for ring in rings])
        left, top, right, bottom = (float(v) for v in (*points.min(0), *points.max(0)))
        self.bounds = (left, top, right, bottom)
        """Left, top, right and bottom in source px; may reach beyond the scene."""
        self._polygons = [Polygon.of(rings) for rings in polygons]
        self._boxes = np.array([_box(rings) for rings in polygons])
        """Bounds of each polygon, shape (polygons, 4)."""

    def most_crossings(self, height: int) -> int:
        """The most outlines that a row of a scene of that height, source px, crosses."""
        steps = np.zeros(height + 1, np.int64)
        for polygon in self._polygons:
            np.add.at(steps, np.clip(polygon.y0, 0, height).astype(np.intp), 1)
            np.add.at(steps, np.clip(np.ceil(polygon.y1), 0, height).astype(np.intp), -1)
        return int(np.cumsum(steps).max())

    def contains(self, xy: Floats) -> NDArray[np.bool_]:
        """Which of the points (n, 2), source px, lie inside."""
        points = np.asarray(xy, np.float64).reshape(-1, 2)
        inside = np.zeros(len(points), np.bool_)
        x, y = points[:, 0], points[:, 1]
        for polygon, (left, top, right, bottom) in zip(self._polygons, self._boxes, strict=True):
            near = np.flatnonzero((left <= x) & (x <= right) & (top <= y) & (y <= bottom) & ~inside)
            if len(near):
                inside[near] = polygon.contains(x[near], y[near])
        return inside

    def mask(self, window: Window, scale: Scale) -> NDArray[np.bool_]:
        """Which px (h, w) of a window in working px have their centres inside; the scene's frame plays no part."""
        x = (np.arange(window.x, window.right) + 0.5) * scale.down / scale.up
        y = (np.arange(window.y, window.bottom) + 0.5) * scale.down / scale.up
        inside = np.zeros((window.height, window.width), np.bool_)
        left, top, right, bottom = self.bounds
        if x[-1] < left or x[0] > right or y[-1] < top or y[0] > bottom:
            return inside
        near = (self._boxes[:, :2] <= (x[-1], y[-1])).all(1) & (self._boxes[:, 2:] >= (x[0], y[0])).all(1)
        for n in np.flatnonzero(near):
            left, top, right, bottom = self._boxes[n]
            rows = slice(np.searchsorted(y, top, "left"), np.searchsorted(y, bottom, "right"))
            columns = slice(np.searchsorted(x, left, "left"), np.searchsorted(x, right, "right"))
            inside[rows, columns] |= self._polygons[n].mask(x[columns], y[rows])
        return inside


def load_aoi(path: Path, scene: Scene) -> Aoi:
    """Read an area of interest for a scene.

    Raises:
        AoiError: not GeoJSON, no polygon, in another system than the file says, or nowhere on the scene.
    """
    polygons, crs = parse(path)
    _check_size(path, polygons)
    if scene.georef is None:
        if crs is not None:
            mend = 'draw it in pixels of the scene, without a "crs" member, or georeference the scene'
            raise AoiError(path, f"is in {crs.to_string()}, but {scene.name} is not georeferenced", mend)
        return _placed(path, polygons, scene, "draw it in pixels of the scene, x to the right and y down")
    crs = crs or WGS84
    if crs.is_geographic:
        _check_degrees(path, polygons)
    if sum(int(_pieces(ring, _step(crs)).sum()) for rings in polygons for ring in rings) > MOST_POINTS:
        raise AoiError(path, "has too many edges that are far longer than a scene", _SIMPLER)
    mend = f"draw it within {_extent(scene)}"
    swapped = [[ring[:, ::-1] for ring in rings] for rings in polygons]
    if crs.is_geographic and _meets(_to_pixels(swapped, crs, scene), scene):
        mend = "its coordinates look swapped: write longitude first, then latitude"
    pixels = _to_pixels(polygons, crs, scene)
    if pixels is None:
        raise AoiError(path, f"has no place in the scene's system, {scene.crs}", mend)
    return _placed(path, pixels, scene, mend)


def _placed(path: Path, polygons: list[Rings], scene: Scene, mend: str) -> Aoi:
    """Polygons in source px, checked against the scene."""
    aoi = Aoi(polygons)
    if not _meets(polygons, scene):
        raise AoiError(path, f"lies outside the scene {scene.name}", mend)
    crossings = aoi.most_crossings(scene.height)
    if crossings > MOST_CROSSINGS:
        raise AoiError(path, f"crosses one row of pixels {crossings:,} times, more than {MOST_CROSSINGS:,}", _SIMPLER)
    if not _has_pixel(aoi, scene):
        raise AoiError(path, f"covers no pixel of the scene {scene.name}", mend)
    left, top, right, bottom = aoi.bounds
    beyond = max(-left, -top, right - scene.width, bottom - scene.height)
    if beyond > 1:
        aoi.warnings.append("the area of interest reaches beyond the scene: nothing is counted there")
    return aoi


def _check_size(path: Path, polygons: list[Rings]) -> None:
    """Refuse more than can be wanted."""
    corners = sum(len(ring) for rings in polygons for ring in rings)
    if corners > MOST_CORNERS or len(polygons) > MOST_POLYGONS:
        most = f"more than {MOST_CORNERS:,} and {MOST_POLYGONS:,}"
        raise AoiError(path, f"has {corners:,} corners in {len(polygons):,} polygons, {most}", _SIMPLER)


def _box(rings: Rings) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a polygon, and a hair more: where an edge crosses a row is rounded."""
    outline = np.concatenate(rings)
    slack = _SLACK * (1 + np.abs(outline).max())
    return (*(outline.min(0) - slack), *(outline.max(0) + slack))


def _meets(polygons: list[Rings] | None, scene: Scene) -> bool:
    """Whether the bounds of the polygons, source px, overlap the scene."""
    if polygons is None:
        return False
    left, top, right, bottom = Aoi(polygons).bounds
    return left < scene.width and right > 0 and top < scene.height and bottom > 0


def _has_pixel(aoi: Aoi, scene: Scene) -> bool:
    """Whether the centre of any source px is inside; looks no further than the first rows that have one."""
    left, top, right, bottom = aoi.bounds
    x0, x1 = max(0, int(left)), min(scene.width, int(right) + 1)
    y0, y1 = max(0, int(top)), min(scene.height, int(bottom) + 1)
    rows = range(y0, y1, _ROWS_AT_ONCE)
    windows = (Window(x0, y, x1 - x0, min(_ROWS_AT_ONCE, y1 - y)) for y in rows)
    return any(aoi.mask(window, Scale()).any() for window in windows)


def _check_degrees(path: Path, polygons: list[Rings]) -> None:
    """Refuse coordinates that cannot be longitude and latitude."""
    points = np.concatenate([ring for rings in polygons for ring in rings])
    wrong = points[(np.abs(points) > (_LONGITUDES, _LATITUDES)).any(1)]
    if len(wrong) == 0:
        return
    x, y = wrong[0]
    mend = 'export it in WGS 84 (EPSG:4326), or name its system in a "crs" member'
    if (np.abs(points[:, ::-1]) <= (_LONGITUDES, _LATITUDES)).all():
        mend = "its coordinates look swapped: write longitude first, then latitude"
    raise AoiError(path, f"({x:.10g}, {y:.10g}) is no longitude and latitude", mend)


def _to_pixels(polygons: list[Rings], crs: CRS, scene: Scene) -> list[Rings] | None:
    """Polygons in source px; None where a point has no place in the scene's system."""
    if scene.georef is None:
        return None
    step = _step(crs)
    pixels = [[scene.georef.from_crs(_densify(ring, step), crs) for ring in rings] for rings in polygons]
    return pixels if all(np.isfinite(ring).all() for rings in pixels for ring in rings) else None


def _densify(ring: Floats, step: float) -> Floats:
    """The same ring (n, 2) with points on its edges at most `step` apart."""
    following, pieces = np.roll(ring, -1, axis=0), _pieces(ring, step)
    edge = np.repeat(np.arange(len(ring)), pieces)
    part = (np.arange(len(edge)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) / pieces[edge]
    return np.asarray(ring[edge] + (following - ring)[edge] * part[:, None])


def _step(crs: CRS) -> float:
    """Longest piece of an edge, in the units of a CRS."""
    return _STEP_DEGREES if crs.is_geographic else _STEP_METRES


def _pieces(ring: Floats, step: float) -> NDArray[np.intp]:
    """Into how many pieces each edge of a ring (n, 2) is cut."""
    lengths = np.hypot(*(np.roll(ring, -1, axis=0) - ring).T)
    return np.asarray(np.clip(np.ceil(lengths / step), 1, _MOST_PIECES), np.intp)


def _extent(scene: Scene) -> str:
    """Where a georeferenced scene lies, for people."""
    corners = np.array([[0, 0], [scene.width, 0], [scene.width, scene.height], [0, scene.height]], np.float64)
    lonlat = scene.to_lonlat(corners)
    if lonlat is None or not np.isfinite(lonlat).all():
        return f"the scene, in {scene.crs}"
    (west, south), (east, north) = lonlat.min(0), lonlat.max(0)
    return f"the scene: longitude {west:.4f} to {east:.4f}, latitude {south:.4f} to {north:.4f}"
