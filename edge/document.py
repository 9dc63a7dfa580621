"""The scene's document: what every way in answers, as a plain dict with fixed keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.count import count
from edge.detections import Detections, Kind

if TYPE_CHECKING:
    from edge.detector import Detector
    from edge.geometry import Floats
    from edge.pipeline import ScanResult
    from edge.scene import Scene


def build_document(scene: Scene, detector: Detector, result: ScanResult) -> dict[str, Any]:
    """Everything that is said of a scene. Keys: see the README; lengths in m, corners in px of the scene."""
    numbers = count(result.candidates, result.threshold)
    found = result.found
    warnings = [*scene.warnings, *result.warnings, *_odd_sizes(detector, result)]
    return {
        "scene": scene.name,
        "width": scene.width,
        "height": scene.height,
        "gsd_m": _rounded(scene.gsd_m, 4),
        "crs": scene.crs,
        "counts": {
            "tanker": numbers.tanker,
            "other": numbers.other,
            "unknown": numbers.unknown,
            "vessel": numbers.vessel,
        },
        "interval": {"tanker": list(numbers.tanker_interval), "vessel": list(numbers.vessel_interval)},
        "coverage": round(result.coverage, 6),
        "tiles": {
            "planned": result.tiles.planned,
            "scored": result.tiles.scored,
            "skipped": result.tiles.skipped,
            "failed": result.tiles.failed,
        },
        "detections": _detections(scene, detector, result, found),
        "model": {
            "name": detector.card.name,
            "version": detector.card.version,
            "sha256": detector.card.sha256,
            "provider": detector.provider,
        },
        "settings": {
            "threshold": result.threshold,
            "working_gsd_m": _rounded(result.gsd_m, 4),
            "scale": result.scale.factor,
            "tile_px": result.tile_px,
            "overlap_px": result.overlap_px,
            "stretch": scene.stretch,
        },
        "seconds": {k: round(v, 3) for k, v in result.seconds.items()},
        "warnings": warnings,
        "synthetic": scene.synthetic,
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), digits)


def _odd_sizes(detector: Detector, result: ScanResult) -> list[str]:
    """Say it where vessels have sizes that training never showed."""
    lengths = result.found.xywhr[:, 2] * result.scale.factor
    low, high = detector.card.length_px
    strange = int(((lengths < low) | (lengths > high)).sum())
    if not strange:
        return []
    return [
        f"{strange} vessel(s) are shorter or longer than the {low:.0f} to {high:.0f} px that the model was trained on"
    ]


def headings(scene: Scene, found: Detections) -> Floats | None:
    """Bearing (n,) of the long axes, 0 .. 180 degrees from true north, clockwise; None without a georeference.

    The forward azimuth between the ends of the box, on a sphere: over one vessel the ellipsoid makes no difference.
    """
    ahead = np.stack([np.cos(found.xywhr[:, 4]), np.sin(found.xywhr[:, 4])], 1) * found.xywhr[:, 2:3] / 2
    stern, bow = (scene.to_lonlat(found.xywhr[:, :2] + sign * ahead) for sign in (-1, 1))
    if stern is None or bow is None:
        return None
    (lon0, lat0), (lon1, lat1) = np.deg2rad(stern).T, np.deg2rad(bow).T
    east = np.sin(lon1 - lon0) * np.cos(lat1)
    north = np.cos(lat0) * np.sin(lat1) - np.sin(lat0) * np.cos(lat1) * np.cos(lon1 - lon0)
    return np.asarray(np.rad2deg(np.arctan2(east, north)) % 180)


def _detections(scene: Scene, detector: Detector, result: ScanResult, found: Detections) -> list[dict[str, Any]]:
    """One dict a vessel, best placed first to last by centre y, then x; ids count from 1."""
    corners, metres = found.corners, scene.gsd_m
    lonlat = scene.to_lonlat(found.xywhr[:, :2])
    outline = scene.to_lonlat(corners.reshape(-1, 2))
    bearing = headings(scene, found)
    return [
        {
            "id": i + 1,
            "kind": Kind(int(found.kind[i])).label,
            "score": round(float(found.score[i]), 4),
            "kind_score": _rounded(float(found.kind_score[i]), 4),
            "corners": np.round(corners[i], 2).tolist(),
            "length_m": _rounded(found.xywhr[i, 2] * metres, 1) if metres else None,
            "beam_m": _rounded(found.xywhr[i, 3] * metres, 1) if metres else None,
            "heading_deg": round(float(bearing[i]), 1) % 180 if bearing is not None else None,
            "lonlat": np.round(lonlat[i], 7).tolist() if lonlat is not None else None,
            "corners_lonlat": np.round(outline[4 * i : 4 * i + 4], 7).tolist() if outline is not None else None,
            "near_threshold": bool(found.score[i] < result.threshold + detector.card.near),
        }
        for i in range(len(found))
    ]
