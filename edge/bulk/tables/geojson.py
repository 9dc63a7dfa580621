"""detections.geojson (RFC 7946): the vessels of all scenes that are georeferenced, a line each, for any GIS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edge.bulk.tables.columns import clock, readable
from edge.write.atomic import replacing
from edge.write.geojson import feature

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.bulk.row import Rows


def write(rows: Rows, folder: Path) -> list[Path]:
    """Write the collection into a folder; it is empty where no scene is georeferenced.

    Raises:
        OutputError: it cannot be written; what was there is there still.
    """
    path = folder / "detections.geojson"
    with replacing(path) as file:
        file.write(b'{"type": "FeatureCollection",\n"features": [')
        file.writelines(_line(found, number) for number, found in enumerate(_features(rows), 1))
        file.write(b"\n]}\n")
    return [path]


def _line(found: dict[str, Any], number: int) -> bytes:
    """A feature under a number of its own, with what comes before it."""
    text = json.dumps({**found, "id": number}, allow_nan=False, ensure_ascii=False)
    return f"{',' if number > 1 else ''}\n{text}".encode()


def _features(rows: Rows) -> Iterator[dict[str, Any]]:
    """All vessels; what `count` says of one is said in the same words, then which scene it is of."""
    for row in rows():
        if row.document is None or row.document["crs"] is None:
            continue
        scene = {
            "scene_number": row.number,
            "place": readable(str(row.place)),
            "terminal": None if row.terminal is None else readable(row.terminal),
            "time": clock(row),
        }
        for vessel in row.document["detections"]:
            found = feature(vessel, row.name)
            found["properties"] |= scene
            yield found
