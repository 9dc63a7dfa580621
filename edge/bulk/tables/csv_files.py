"""scenes.csv and detections.csv (RFC 4180, UTF-8): for spreadsheets and scripts.

Names of scenes and folders come from archives that others made, and a spreadsheet takes a cell that begins with = for
a formula, whoever wrote it. Texts that begin like one get an apostrophe before them, as OWASP advises ("CSV
Injection"); Parquet, GeoJSON, COCO and the documents have all names as they are.
"""

from __future__ import annotations

import csv
import io
from itertools import chain
from typing import TYPE_CHECKING, Any

from edge.bulk.tables.columns import CORNERS, PLACED, SCENES, VESSELS, Vessel, clock
from edge.write import detections_csv
from edge.write.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import BinaryIO

    from edge.bulk.row import Rows, SceneRow
    from edge.bulk.tables.columns import Column

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What formulas begin with; the last four are the wide forms, which some spreadsheets take too."""
_MORE = ("scene_number", "id", "kind_score", "near_threshold")
_VESSELS: tuple[Column[Vessel], ...] = (*PLACED, *(c for c in VESSELS if c.name in _MORE), *CORNERS)
"""After the columns of `count --format csv`."""


def write(rows: Rows, folder: Path) -> list[Path]:
    """Write both tables into a folder, in one pass.

    Raises:
        OutputError: one of them cannot be written; both are as they were then.
    """
    paths = [folder / "scenes.csv", folder / "detections.csv"]
    with replacing(paths[0]) as scenes, replacing(paths[1]) as vessels:
        _put(scenes, [[column.name for column in SCENES]])
        _put(vessels, [[*detections_csv.COLUMNS, *(column.name for column in _VESSELS)]])
        for row in rows():
            _put(scenes, [[_cell(column, row, row) for column in SCENES]])
            if row.document:
                _put(vessels, (_vessel(row, vessel) for vessel in row.document["detections"]))
    return paths


def _vessel(row: SceneRow, vessel: dict[str, Any]) -> Iterable[object]:
    found = Vessel(row, vessel)
    return chain(detections_csv.cells(vessel, row.name), (_cell(column, found, row) for column in _VESSELS))


def _cell(column: Column[Any], row: object, scene: SceneRow) -> object:
    if column.kind == "time":
        return clock(scene)
    value = column.known(row)
    return str(value).lower() if isinstance(value, bool) else value


def _put(file: BinaryIO, rows: Iterable[Iterable[object]]) -> None:
    """Write rows; None is an empty cell."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(map(_guarded, row) for row in rows)
    file.write(text.getvalue().encode())


def _guarded(cell: object) -> object:
    """The cell, but for a text that a spreadsheet would compute."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
