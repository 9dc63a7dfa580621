"""Take the polygons out of a GeoJSON file, in the file's own coordinates."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from rasterio.crs import CRS
from rasterio.errors import CRSError

from edge.errors import AoiError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.geometry import Floats

_CORNERS = 3
_MEMBERS = {"FeatureCollection": "features", "GeometryCollection": "geometries"}
_OTHERS = ("Point", "MultiPoint", "LineString", "MultiLineString")
_CRS_NAME = re.compile(r"(?:urn:(?:ogc|x-ogc):def:crs:)?(EPSG|OGC|ESRI):(?:[\w.]*:)?(\w+)", re.IGNORECASE)
"""As in "EPSG:32610", "urn:ogc:def:crs:EPSG::32610", "urn:ogc:def:crs:OGC:1.3:CRS84"."""
_EXPORT = "export the area as GeoJSON polygons, in WGS 84 (EPSG:4326)"


def parse(path: Path) -> tuple[list[list[Floats]], CRS | None]:
    """Polygons, each a list of rings (n, 2) without the closing point, and the CRS of an old-style "crs" member.

    Raises:
        AoiError: not readable, not GeoJSON, or without polygons.
    """
    document = _load(path)
    if not isinstance(document, dict):
        raise AoiError(path, "is JSON, but no GeoJSON object", _EXPORT)
    polygons = []
    try:
        for coordinates in _polygons(document):
            rings = [_ring(ring) for ring in coordinates]
            polygons += [rings] if rings else []
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise AoiError(path, f"is not valid GeoJSON ({reason})", _EXPORT) from error
    if not polygons:
        raise AoiError(path, "has no polygon in it", _EXPORT)
    return polygons, _crs(path, document.get("crs"))


def _load(path: Path) -> Any:  # noqa: ANN401 - JSON holds anything
    """The file's JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise AoiError(path, "does not exist", "check the path") from error
    except IsADirectoryError as error:
        raise AoiError(path, "is a folder, not a file", "give the GeoJSON file in it") from error
    except OSError as error:
        raise AoiError(path, f"cannot be read ({error.strerror or error})", "check its permissions") from error
    except (ValueError, RecursionError) as error:  # ValueError: also bytes that are no UTF-8
        raise AoiError(path, f"is not JSON ({error})", _EXPORT) from error


def _polygons(thing: dict[str, Any]) -> Iterator[list[Any]]:
    """The coordinates of each polygon under any GeoJSON object. Points and lines enclose nothing and are passed by."""
    kind = thing["type"]
    if kind in _MEMBERS:
        for member in thing[_MEMBERS[kind]]:
            yield from _polygons(member)
    elif kind == "Feature":
        if thing["geometry"] is not None:
            yield from _polygons(thing["geometry"])
    elif kind == "Polygon":
        yield thing["coordinates"]
    elif kind == "MultiPolygon":
        yield from thing["coordinates"]
    elif kind not in _OTHERS:
        msg = f"type {kind!r} is unknown"
        raise ValueError(msg)


def _ring(positions: list[Any]) -> Floats:
    """A ring (n, 2) without its closing point and without heights."""
    points = [(float(p[0]), float(p[1])) for p in positions]
    if not all(math.isfinite(v) for point in points for v in point):
        msg = "a coordinate is not a finite number"
        raise ValueError(msg)
    if len(points) > 1 and points[0] == points[-1]:
        points.pop()
    if len(set(points)) < _CORNERS:
        msg = f"a ring has {len(set(points))} corners, and needs {_CORNERS}"
        raise ValueError(msg)
    return np.array(points, np.float64)


def _crs(path: Path, member: object) -> CRS | None:
    """The system that a "crs" member names, as GeoJSON had it before RFC 7946."""
    if member is None:
        return None
    try:
        name = member["properties"]["name"] if isinstance(member, dict) else ""
        found = _CRS_NAME.fullmatch(name)
        # By number only: GDAL would take an address or a file name too, and go and fetch it.
        return CRS.from_user_input(f"{found[1]}:{found[2]}") if found else _not_understood(path, member)
    except (CRSError, TypeError, KeyError):
        return _not_understood(path, member)


def _not_understood(path: Path, member: object) -> NoReturn:
    raise AoiError(path, f"its coordinate reference system is not understood ({json.dumps(member)})", _EXPORT) from None
