"""A manifest: a table with one scene a row, in CSV or Parquet.

Columns, in letters of any case: path (a file or URL, relative to the manifest or not), and if wanted gsd (m/px), time
(see `edge.bulk.times.parse_time`) and terminal. Others are ignored.
"""

from __future__ import annotations

from datetime import date, datetime, time, timezone
from typing import TYPE_CHECKING

from edge.bulk.entry import Acquired
from edge.bulk.inputs_base import joined, path_of
from edge.bulk.inputs_files import may_be_read
from edge.bulk.inputs_reference import References, Told
from edge.bulk.inputs_rows import csv_rows, parquet_rows
from edge.bulk.times import parse_time
from edge.errors import InputError
from edge.scene_source import GSD_M

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.bulk.entry import Entry
    from edge.bulk.inputs_base import Means
    from edge.bulk.inputs_rows import Row


def list_manifest(base: str, means: Means) -> Iterator[Entry]:
    """The scenes that a manifest names, in its order.

    Args:
        base: path or URL of the manifest.
        means: how to list.

    Raises:
        OSError: it cannot be read.
        InputError: it is damaged or lacks the column path, or a row makes no sense; names the row and the column.
    """
    references = References(base, means)
    with means.open(base) as file:
        for row in (csv_rows if path_of(base).lower().endswith(".csv") else parquet_rows)(base, file):
            path = _text(row, "path")
            if path is None:
                raise _bad(row, "path", "is empty", "give the path of a scene, or leave the row out")
            if not may_be_read(joined(base, path)):
                raise _bad(row, "path", f"{path} is no file", "name one scene a row, or give folders as inputs")
            yield references.entry(path, Told(_text(row, "terminal"), _time(row), _gsd(row)))


def _text(row: Row, column: str) -> str | None:
    """A cell without blanks around it; None for an empty one."""
    value = row.cells.get(column)
    return None if value is None else str(value).strip() or None


def _time(row: Row) -> Acquired | None:
    """The cell time."""
    value = row.cells.get("time")
    if value is None or not str(value).strip():
        return None
    try:
        if isinstance(value, datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
            return Acquired(aware.astimezone(timezone.utc), "manifest")
        if isinstance(value, date):
            return Acquired(datetime.combine(value, time(), timezone.utc), "manifest")
        return Acquired(parse_time(str(value)), "manifest")
    except (ValueError, OverflowError):
        raise _bad(row, "time", f"{value} is no time", "write it as in 2024-01-31T10:15:00Z") from None


def _gsd(row: Row) -> float | None:
    """The cell gsd, m/px."""
    text = _text(row, "gsd")
    try:
        gsd_m = None if text is None else float(text)
    except ValueError:
        gsd_m = 0.0
    if gsd_m is not None and not GSD_M[0] <= gsd_m <= GSD_M[1]:
        raise _bad(row, "gsd", f"{text} makes no sense", "give metres per pixel, as in 0.5")
    return gsd_m


def _bad(row: Row, column: str, cause: str, mend: str) -> InputError:
    """What is wrong with a cell."""
    return InputError(f"{row.where}, column {column}", cause, mend)
