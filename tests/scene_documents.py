"""Documents as `edge.document` builds them, made by hand for the tests of `edge.write`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.geometry import to_corners

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 800, 600
KINDS = ("tanker", "other", "unknown")


def vessel(
    number: int,
    xywhr: Sequence[float],
    kind: str = "tanker",
    *,
    score: float = 0.9,
    near: bool = False,
    north_west: tuple[float, float] | None = (-122.4, 37.8),
) -> dict[str, Any]:
    """One detection; `north_west` is lon, lat of the scene's corner, whose px are 0.00001 degrees, or None."""
    corners = to_corners(np.array([xywhr], np.float64))[0]
    outline = None
    if north_west:
        outline = np.round(north_west + corners * [1e-5, -1e-5], 7)
        outline[:, 0] = (outline[:, 0] + 180) % 360 - 180
        outline = np.round(outline, 7).tolist()
    sized = bool(north_west) and kind == "tanker"
    return {
        "id": number,
        "kind": kind,
        "score": score,
        "kind_score": 0.75 if kind != "unknown" else None,
        "corners": np.round(corners, 2).tolist(),
        "length_m": xywhr[2] if north_west else None,
        "beam_m": xywhr[3] if north_west else None,
        "heading_deg": 45.5 if north_west else None,
        "length_error_m": 2.5 if north_west else None,
        "beam_error_m": 1.5 if north_west else None,
        "heading_error_deg": 3.5 if north_west else None,
        "size_class": "Coastal" if sized else None,
        "deadweight_t": [0, 10_000] if sized else None,
        "lonlat": np.mean(outline, 0).round(7).tolist() if outline else None,
        "corners_lonlat": outline,
        "near_threshold": near,
    }


def fleet(count: int = 40, seed: int = 3, **options: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - those of vessel
    """Vessels of all kinds, sizes and headings, some over the edges of the scene."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        length = rng.uniform(6, 200)
        box = (
            rng.uniform(0, WIDTH),
            rng.uniform(0, HEIGHT),
            length,
            length * rng.uniform(0.1, 0.5),
            rng.uniform(0, np.pi),
        )
        rows.append(vessel(i + 1, box, KINDS[i % 3], score=round(float(rng.uniform(0.2, 1)), 4), **options))
    return rows


def document(rows: list[dict[str, Any]] | None = None, *, georeferenced: bool = True, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any key
    """A scene's document with these vessels, or two."""
    if rows is None:
        place = (-122.4, 37.8) if georeferenced else None
        rows = [
            vessel(1, (200, 200, 120, 30, 0.5), north_west=place),
            vessel(2, (500, 400, 60, 16, 2.0), "other", score=0.3, near=True, north_west=place),
        ]
    counts = {kind: sum(row["kind"] == kind for row in rows) for kind in KINDS}
    tankers, vessels = counts["tanker"], len(rows)
    return {
        "scene": "harbour.tif",
        "width": WIDTH,
        "height": HEIGHT,
        "gsd_m": 1.0 if georeferenced else None,
        "crs": "EPSG:32610" if georeferenced else None,
        "counts": {**counts, "vessel": vessels},
        "interval": {"tanker": [tankers, tankers + 1], "vessel": [max(vessels - 1, 0), vessels + 2]},
        "coverage": 1.0,
        "tiles": {"planned": 4, "scored": 4, "skipped": 0, "failed": 0},
        "detections": rows,
        "model": {"name": "toy", "version": "1", "sha256": "0" * 64, "provider": "CPUExecutionProvider"},
        "settings": {"threshold": 0.25, "stretch": None},
        "seconds": {"total": 1.25, "read": 0.5, "infer": 0.5, "merge": 0.25},
        "warnings": [],
        **changes,
    }
