"""Outlines of vessels as GeoParquet keeps them: well-known binary, and what is said of them as a whole.

Well-known binary is that of OGC 06-103r4 (ISO 19125-1), little-endian. GeoParquet is version 1.1.0.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from edge.write.geojson import polygon

if TYPE_CHECKING:
    from collections.abc import Sequence

_LITTLE_ENDIAN = 1
_POLYGON, _MULTIPOLYGON = 3, 6
COLUMN = "geometry"


def outline(row: dict[str, Any]) -> dict[str, Any] | None:
    """The Polygon or MultiPolygon of a vessel, as GeoJSON has it; None where it has no place on Earth."""
    corners = row["corners_lonlat"]
    return None if corners is None else polygon(corners)


def wkb(geometry: dict[str, Any] | None) -> bytes | None:
    """A Polygon or MultiPolygon in well-known binary."""
    if geometry is None:
        return None
    if geometry["type"] == "Polygon":
        return _polygon(geometry["coordinates"])
    parts = [_polygon(rings) for rings in geometry["coordinates"]]
    return struct.pack("<BII", _LITTLE_ENDIAN, _MULTIPOLYGON, len(parts)) + b"".join(parts)


def _polygon(rings: Sequence[Sequence[Sequence[float]]]) -> bytes:
    head = struct.pack("<BII", _LITTLE_ENDIAN, _POLYGON, len(rings))
    return head + b"".join(
        struct.pack(f"<I{2 * len(ring)}d", len(ring), *(value for point in ring for value in point)) for ring in rings
    )


class Summary:
    """What GeoParquet says of a column of geometries; it has to be known before the first row is written."""

    def __init__(self) -> None:
        """Of none."""
        self._types: set[str] = set()
        self._low = [float("inf")] * 2
        self._high = [-float("inf")] * 2

    def add(self, geometry: dict[str, Any] | None) -> None:
        """Take another one in."""
        if geometry is None:
            return
        self._types.add(geometry["type"])
        parts = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
        for axis, values in enumerate(zip(*(point for rings in parts for point in rings[0]), strict=True)):
            self._low[axis] = min(self._low[axis], *values)
            self._high[axis] = max(self._high[axis], *values)

    def metadata(self) -> str:
        """JSON of the file's key "geo"; no CRS is named, which means longitude and latitude, WGS 84 (OGC:CRS84)."""
        column: dict[str, Any] = {
            "encoding": "WKB",
            "geometry_types": sorted(self._types),
            "edges": "planar",
            "orientation": "counterclockwise",
        }
        if self._types:
            column["bbox"] = [*self._low, *self._high]
        return json.dumps({"version": "1.1.0", "primary_column": COLUMN, "columns": {COLUMN: column}})
