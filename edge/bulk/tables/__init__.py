"""The tables of a run, written anew from its rows: each file whole or not at all, and the same for the same rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edge.bulk.row import Rows
from edge.bulk.tables import coco, csv_files, geojson, jsonl, parquet
from edge.errors import OutputError, UsageError
from edge.write.atomic import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["TABLES", "check_tables", "write_tables"]

Table = Callable[[Rows, Path], list[Path]]
"""Writes its files into a folder and tells where they are, or raises OutputError."""
TABLES: dict[str, Table] = {
    "parquet": parquet.write,
    "csv": csv_files.write,
    "geojson": geojson.write,
    "coco": coco.write,
    "jsonl": jsonl.write,
}
_OPTION = "--format"


def check_tables(names: Iterable[str]) -> list[str]:
    """The names, each once; ask before the scenes are scored.

    Raises:
        UsageError: one of them is in no way to write tables.
    """
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in TABLES]
    if unknown:
        raise UsageError(_OPTION, f"there is no format {unknown[0]!r}", f"choose from {', '.join(TABLES)}")
    return wanted


def write_tables(rows: Rows, folder: Path, names: Iterable[str]) -> list[Path]:
    """Write tables and tell where; the folder is created where it is not there.

    What can be written is written, even where another table fails. Memory does not grow with the number of rows.

    Args:
        rows: of the run; they are gone through several times.
        folder: of the outputs; what is there under the same names is replaced.
        names: in TABLES.

    Raises:
        UsageError: there is no such table; nothing is written then.
        OutputError: the first table that failed.
    """
    wanted = check_tables(names)
    make_folder(folder)
    told = [_tried(TABLES[name], rows, folder) for name in wanted]
    for paths in told:
        if isinstance(paths, OutputError):
            raise paths
    return [path for paths in told if not isinstance(paths, OutputError) for path in paths]


def _tried(write: Table, rows: Rows, folder: Path) -> list[Path] | OutputError:
    try:
        return write(rows, folder)
    except OutputError as error:
        return error
