"""GeoJSON (RFC 7946): one polygon a vessel, WGS 84 longitude and latitude, for any GIS."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import OutputError
from edge.geometry import Window, clip_polygon
from edge.write.atomic import write_text
from edge.write.document_json import plain, summary
from edge.write.ring import signed_area

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.scene import Scene

_PROPERTIES = (
    "id", "kind", "score", "kind_score", "length_m", "beam_m", "heading_deg", "length_error_m", "beam_error_m",
    "heading_error_deg", "size_class", "deadweight_t",
)  # fmt: skip
_DIGITS = 7
"""Decimals of a degree: 1 cm."""
_WORLD = Window(-180, -90, 360, 180)
"""Degrees."""


def feature_collection(document: dict[str, Any]) -> dict[str, Any]:
    """The vessels as a FeatureCollection, with all that is said of the scene under "summary" (a foreign member).

    Exterior rings are closed and run counterclockwise. A polygon over the antimeridian is cut in two there (section
    3.1.9). A vessel where the projection has no longitude and latitude is a Feature without geometry (section 3.2).

    Raises:
        OutputError: the scene is not georeferenced.
    """
    if document["crs"] is None:
        raise OutputError(
            document["scene"],
            "has no georeference, so GeoJSON of it cannot be written",
            "choose coco, csv, yolo, json or overlay, or give the scene as a GeoTIFF with a CRS",
        )
    features = [feature(row, document["scene"]) for row in document["detections"]]
    return {"type": "FeatureCollection", "features": features, "summary": summary(document)}


def write(document: dict[str, Any], path: Path, *, scene: Scene | None = None) -> None:  # noqa: ARG001 - as all writers
    """Write the vessels to a file, one a line.

    Raises:
        OutputError: the scene is not georeferenced, or the file cannot be written.
    """
    whole = feature_collection(document)
    lines = ",\n".join(_json(feature) for feature in whole["features"])
    text = f'{{"type": "FeatureCollection",\n"summary": {_json(whole["summary"])},\n"features": [\n{lines}\n]}}\n'
    write_text(path, text)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def feature(row: dict[str, Any], scene: str) -> dict[str, Any]:
    """One vessel of a scene of this name as a Feature; its id is that within the scene."""
    corners = row["corners_lonlat"]
    properties = {key: row[key] for key in _PROPERTIES} | {"scene": scene, "near_threshold": row["near_threshold"]}
    return {
        "type": "Feature",
        "id": row["id"],
        "geometry": None if corners is None else polygon(corners),
        "properties": plain(properties),
    }


def polygon(corners: Sequence[Sequence[float | None]]) -> dict[str, Any] | None:
    """The Polygon, or MultiPolygon, of corners (4, 2) degrees; None where one of them has no place on Earth."""
    points = [(lon, lat) for lon, lat in corners if lon is not None and lat is not None]
    if len(points) < len(corners) or not all(math.isfinite(value) for point in points for value in point):
        return None
    first = points[0][0]
    ring = [(lon - 360 * round((lon - first) / 360), lat) for lon, lat in points]  # continuous across the antimeridian
    if signed_area(ring) < 0:
        ring.reverse()
    if max(abs(lon) for lon, _ in ring) <= _WORLD.right:
        return {"type": "Polygon", "coordinates": [_closed(ring)]}
    parts = _cut(ring)
    return {"type": "MultiPolygon", "coordinates": parts} if parts else None


def _cut(outline: Sequence[tuple[float, float]]) -> list[list[list[list[float]]]]:
    """An outline (n, 2) over the antimeridian as one polygon on each side of it."""
    points = np.array(outline)
    beyond = 360 * np.sign(points[np.abs(points[:, 0]).argmax(), 0])
    parts = [clip_polygon(points, _WORLD), clip_polygon(points - [beyond, 0], _WORLD)]
    rings = [_closed(part.tolist()) for part in parts if len(part)]
    return [[ring] for ring in rings if signed_area(ring) > 0]  # where it only touches the antimeridian, there is none


def _closed(ring: Sequence[Sequence[float]]) -> list[list[float]]:
    """A ring (n, 2) with its first point once more at the end."""
    return [[round(lon, _DIGITS), round(lat, _DIGITS)] for lon, lat in (*ring, ring[0])]
