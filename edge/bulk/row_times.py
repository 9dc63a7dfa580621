"""Times that file names tell, for rows: a result is that of the bytes, which may lie under several names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge.bulk.times import time_in_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.bulk.row import Rows, SceneRow

_OF_FILES = ("tiff", "exif")
"""Sources that an explicit pattern goes before: a TIFF's time is often that of processing."""


def with_times(rows: Rows, pattern: str | None) -> Rows:
    """The same rows, with the times that their names tell where nothing better is known.

    Args:
        rows: of the ledger.
        pattern: --time-pattern, which goes before what files say; None knows the usual forms, and does not.

    Raises:
        UsageError: the pattern makes no sense.
    """

    def timed() -> Iterator[SceneRow]:
        return (_timed(row, pattern) for row in rows())

    return timed


def _timed(row: SceneRow, pattern: str | None) -> SceneRow:
    if row.acquired and (pattern is None or row.acquired.source not in _OF_FILES):
        return row
    told = time_in_name(row.name, pattern)
    return replace(row, acquired=told) if told else row
