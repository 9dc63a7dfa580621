"""The scene's document: what every way in answers, as a plain dict with fixed keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.count import count
from edge.detections import Detections, Kind
from edge.sizes import deadweight_range, heading_error, size_classes, size_error

if TYPE_CHECKING:
    from edge.detector import Detector
    from edge.geometry import Floats
    from edge.model_card import ErrorsCard
    from edge.pipeline import ScanResult
    from edge.scene import Scene
    from edge.sizes import SizeClass

Columns = dict[str, list[Any]]
"""A list a key, with a cell a vessel."""


def build_document(scene: Scene, detector: Detector, result: ScanResult) -> dict[str, Any]:
    """Everything that is said of a scene. Keys: see the README; lengths in m, corners in px of the scene."""
    numbers = count(result.candidates, result.threshold, detector.card.spread, result.scale.factor)
    found = result.found
    warnings = [*scene.warnings, *result.warnings, *_odd_sizes(detector, result)]
    return {
        "scene": scene.name,
        "width": scene.width,
        "height": scene.height,
        "gsd_m": _rounded(scene.gsd_m, 4),
        "crs": scene.crs,
        "counts": numbers.counts,
        "interval": numbers.intervals,
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
            "precision": detector.precision,
        },
        "settings": {
            "threshold": result.threshold,
            "working_gsd_m": _rounded(result.gsd_m, 4),
            "scale": result.scale.factor,
            "tile_px": result.tile_px,
            "overlap_px": result.overlap_px,
            "min_length_m": result.min_length_m,
            "exhaustive": result.exhaustive,
            "found_at_scale": result.coarse.factor if result.coarse else result.scale.factor,
            "stretch": scene.stretch,
        },
        "seconds": {k: round(v, 3) for k, v in {**result.seconds, "open": scene.opening_s}.items()},
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
    near = found.score < result.threshold + detector.card.near
    columns: Columns = {
        **_seen(found),
        **_measured(scene, found, result.scale.factor, detector.card.errors),
        **_placed(scene, found),
        "near_threshold": near.tolist(),
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _seen(found: Detections) -> Columns:
    """What the vessels are, and where in the picture."""
    return {
        "id": list(range(1, len(found) + 1)),
        "kind": [Kind(int(kind)).label for kind in found.kind],
        "score": _column(found, found.score, 4),
        "kind_score": _column(found, found.kind_score, 4),
        "corners": np.round(found.corners, 2).tolist(),
    }


def _measured(scene: Scene, found: Detections, factor: float, errors: ErrorsCard | None) -> Columns:
    """Sizes, headings and how far they may be off.

    A card tells errors in px of the working frame, `factor` of which are as long as a px of the scene.
    """
    length, beam = (found.xywhr[:, k] * scene.gsd_m if scene.gsd_m else None for k in (2, 3))
    bearing = headings(scene, found)
    off: tuple[Floats | None, ...] = (None, None, None)
    if errors:
        metres = scene.gsd_m / factor if scene.gsd_m else None
        working = found.xywhr[:, 2:4] * factor
        sizes = zip(working.T, (errors.length, errors.beam), strict=True)
        length_off, beam_off = (size_error(px, error) * metres if metres else None for px, error in sizes)
        off = length_off, beam_off, heading_error(working[:, 0], errors) if bearing is not None else None
    return {
        "length_m": _column(found, length, 1),
        "beam_m": _column(found, beam, 1),
        "heading_deg": _column(found, None if bearing is None else np.round(bearing, 1) % 180, 1),
        "length_error_m": _column(found, off[0], 1),
        "beam_error_m": _column(found, off[1], 1),
        "heading_error_deg": _column(found, off[2], 1),
        **_classes(found, length, off[0]),
    }


def _classes(found: Detections, length: Floats | None, off: Floats | None) -> Columns:
    """Size classes of the tankers by their lengths (n,) m, give or take errors (n,) m; none given are taken as 0."""
    options: list[tuple[SizeClass, ...]] = [()] * len(found)
    if length is not None:
        slack = np.zeros(len(found)) if off is None else off
        for i in np.flatnonzero(found.kind == Kind.TANKER):
            options[i] = size_classes(float(length[i]), float(slack[i]))
    return {
        "size_class": ["/".join(c.name for c in classes) or None for classes in options],
        "deadweight_t": [list(deadweight_range(classes)) if classes else None for classes in options],
    }


def _placed(scene: Scene, found: Detections) -> Columns:
    """Where on the ground the vessels are."""
    lonlat = scene.to_lonlat(found.xywhr[:, :2])
    outline = scene.to_lonlat(found.corners.reshape(-1, 2))
    unknown = [None] * len(found)
    return {
        "lonlat": unknown if lonlat is None else np.round(lonlat, 7).tolist(),
        "corners_lonlat": unknown if outline is None else np.round(outline.reshape(-1, 4, 2), 7).tolist(),
    }


def _column(found: Detections, values: Floats | None, digits: int) -> list[float | None]:
    """Values (n,) rounded, a cell a vessel; None where they are not known."""
    return [None] * len(found) if values is None else [_rounded(float(value), digits) for value in values]
