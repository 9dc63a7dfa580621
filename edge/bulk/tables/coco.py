"""coco.json: all scored scenes as one COCO data set, in px. See edge.write.coco for what COCO makes of oriented boxes.

An image has the number of its scene, and its place as file_name. Two passes: COCO wants all images before the boxes.
"""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

from edge.bulk.tables.columns import clock, readable
from edge.geometry import Window
from edge.write.atomic import replacing
from edge.write.coco import annotation, categories

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from edge.bulk.row import Rows

_INFO = {"description": "vessels found by tanker-edge"}


def write(rows: Rows, folder: Path) -> list[Path]:
    """Write the data set into a folder.

    Raises:
        OutputError: it cannot be written; what was there is there still.
    """
    path = folder / "coco.json"
    with replacing(path) as file:
        file.write(f'{{"info": {_json(_INFO)},\n"categories": {_json(categories())},\n"images": ['.encode())
        _put(file, _images(rows))
        file.write(b'],\n"annotations": [')
        _put(file, _annotations(rows))
        file.write(b"]}\n")
    return [path]


def _images(rows: Rows) -> Iterator[dict[str, Any]]:
    for row in rows():
        if row.document:
            image = {"id": row.number, "file_name": readable(str(row.place))}
            size = {key: row.document[key] for key in ("width", "height")}
            taken = {"date_captured": clock(row)} if row.acquired else {}
            yield image | size | taken


def _annotations(rows: Rows) -> Iterator[dict[str, Any]]:
    numbers = count(1)
    for row in rows():
        if row.document is None:
            continue
        frame = Window(0, 0, row.document["width"], row.document["height"])
        for vessel in row.document["detections"]:
            yield {**annotation(vessel, frame, row.number), "id": next(numbers)}


def _put(file: BinaryIO, items: Iterator[dict[str, Any]]) -> None:
    """Write the items of a list, a line each."""
    file.writelines(f"{',' if i else ''}\n{_json(item)}".encode() for i, item in enumerate(items))


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)
