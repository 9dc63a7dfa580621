"""CSV (RFC 4180, UTF-8, no byte order mark): one row a vessel, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from edge.write.atomic import write_text
from edge.write.document_json import plain

if TYPE_CHECKING:
    from pathlib import Path

    from edge.scene import Scene

HEADER = ("scene", "lon", "lat", "kind", "score", "length_m", "beam_m", "heading_deg")
"""Fixed: scripts may go by the number of a column."""
MORE = ("length_error_m", "beam_error_m", "heading_error_deg", "size_class")
DEADWEIGHT = ("deadweight_low_t", "deadweight_high_t")
"""The two ends of `deadweight_t`."""
COLUMNS = (*HEADER, *MORE, *DEADWEIGHT)


def table(document: dict[str, Any]) -> str:
    """Header and rows, ends of line CR LF; a cell is empty where nothing is known."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)  # its default dialect is that of RFC 4180
    rows.writerow(COLUMNS)
    rows.writerows(cells(row, document["scene"]) for row in document["detections"])
    return text.getvalue()


def cells(row: dict[str, Any], scene: str) -> list[Any]:
    """Those of COLUMNS for one vessel of a scene of this name; None where nothing is known."""
    lonlat, told, tonnes = row["lonlat"], (row[key] for key in (*HEADER[3:], *MORE)), row["deadweight_t"]
    cells: list[Any] = plain([scene, *(lonlat or (None, None)), *told, *(tonnes or (None, None))])
    return cells


def write(document: dict[str, Any], path: Path, *, scene: Scene | None = None) -> None:  # noqa: ARG001 - as all writers
    """Write the vessels to a file.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, table(document))
