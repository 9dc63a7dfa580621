"""GeoJSON (RFC 7946): one polygon a vessel, WGS 84 longitude and latitude, for any GIS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import OutputError
from edge.geometry import Window, clip_polygon, polygon_area
from edge.write.atomic import write_text
from edge.write.document_json import plain, summary

if TYPE_CHECKING:
    from pathlib import Path

    from edge.geometry import Floats
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
    features = [_feature(row, document["scene"]) for row in document["detections"]]
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


def _feature(row: dict[str, Any], scene: str) -> dict[str, Any]:
    corners = row["corners_lonlat"]
    properties = {key: row[key] for key in _PROPERTIES} | {"scene": scene, "near_threshold": row["near_threshold"]}
    return {
        "type": "Feature",
        "id": row["id"],
        "geometry": None if corners is None else _geometry(np.array(corners, np.float64)),
        "properties": plain(properties),
    }


def _geometry(corners: Floats) -> dict[str, Any] | None:
    """The polygon of corners (4, 2) degrees."""
    if not np.isfinite(corners).all():
        return None
    ring = corners.copy()
    ring[:, 0] -= 360 * np.round((ring[:, 0] - ring[0, 0]) / 360)  # continuous across the antimeridian
    x, y = (ring - ring[0]).T
    if np.dot(x, np.roll(y, -1)) < np.dot(y, np.roll(x, -1)):
        ring = ring[::-1]
    if np.abs(ring[:, 0]).max() <= _WORLD.right:
        return {"type": "Polygon", "coordinates": [_closed(ring)]}
    beyond = 360 * np.sign(ring[np.abs(ring[:, 0]).argmax(), 0])
    parts = [clip_polygon(ring, _WORLD), clip_polygon(ring - [beyond, 0], _WORLD)]
    rings = [[_closed(part)] for part in parts if polygon_area(part) > 0]
    return {"type": "MultiPolygon", "coordinates": rings}


def _closed(ring: Floats) -> list[list[float]]:
    """A ring (n, 2) with its first point once more at the end."""
    points: list[list[float]] = np.round(np.concatenate([ring, ring[:1]]), _DIGITS).tolist()
    return points
