"""scenes.parquet and detections.parquet; the latter is GeoParquet. Rows stream through, whatever their number."""

from __future__ import annotations

import io
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeVar, cast

from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
from arro3.io import read_ipc_stream, write_ipc_stream, write_parquet

from edge import __version__
from edge.bulk.tables.columns import SCENES, VESSELS, Vessel
from edge.bulk.tables.geo import Summary, outline
from edge.write.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from typing_extensions import Buffer

    from edge.bulk.row import Rows, SceneRow
    from edge.bulk.tables.columns import Column, Kind

T = TypeVar("T")

BATCH = 4096
"""Rows that become columns together."""
GROUP = 65_536
"""Rows of a row group, which the writer keeps in memory, some 10 MB: readers skip and share out whole groups."""
_TYPES: dict[Kind, DataType] = {
    "text": DataType.utf8(),
    "whole": DataType.int64(),
    "real": DataType.float64(),
    "truth": DataType.bool(),
    "time": DataType.int64(),
    "bytes": DataType.binary(),
}
"""What cells become at first; a time is cast afterwards, because it cannot be made of Python's values."""
_TIME = DataType.timestamp("us", tz="UTC")
_END = 8
"""Bytes of the mark at the end of an Arrow stream."""


def write(rows: Rows, folder: Path) -> list[Path]:
    """Write both tables into a folder.

    Raises:
        OutputError: one of them cannot be written; it is as it was then.
    """
    scenes, vessels = folder / "scenes.parquet", folder / "detections.parquet"
    summary = Summary()
    write_table(scenes, SCENES, _taken_in(rows, summary))
    found = (Vessel(row, vessel) for row in rows() if row.document for vessel in row.document["detections"])
    write_table(vessels, VESSELS, found, {"geo": summary.metadata()})
    return [scenes, vessels]


def _taken_in(rows: Rows, summary: Summary) -> Iterator[SceneRow]:
    """All rows, while the outlines of their vessels are summed up: that saves a pass."""
    for row in rows():
        for vessel in row.document["detections"] if row.document else ():
            summary.add(outline(vessel))
        yield row


def write_table(
    path: Path, columns: Sequence[Column[T]], rows: Iterable[T], metadata: dict[str, str] | None = None
) -> None:
    """Write a table, row by row.

    Args:
        path: of the file, which is replaced at the end.
        columns: of the table.
        rows: all of them; each is asked for once.
        metadata: of the file, one key at most: arro3 puts several in an order that changes from run to run.

    Raises:
        OutputError: the file cannot be written.
    """
    with replacing(path) as file:
        pipe = _Pipe(columns, iter(rows), file)
        write_parquet(
            read_ipc_stream(cast("BinaryIO", pipe)),
            cast("BinaryIO", pipe),
            compression="zstd(3)",
            created_by=f"tanker-edge version {__version__}",
            key_value_metadata=metadata,
            max_row_group_size=GROUP,
            skip_arrow_metadata=True,  # all types are Parquet's own
        )
        if pipe.trouble:
            raise pipe.trouble


class _Pipe(io.RawIOBase):
    """Where arro3 reads an Arrow stream from, made while it reads, and where it writes Parquet to.

    A stream, because before 0.9 (the last for Python 3.10 is 0.8) arro3 takes batches only as a list of all of them.

    arro3 panics where a write fails, and tells errors of reading as words only. So it is told that all is well: the
    error is kept, the stream ends early, and nothing more is written.
    """

    def __init__(self, columns: Sequence[Column[T]], rows: Iterator[T], file: BinaryIO) -> None:
        super().__init__()
        self.trouble: BaseException | None = None
        self._file = file
        self._parts = _arrow_stream(columns, rows)
        self._rest = memoryview(b"")

    def readable(self) -> Literal[True]:
        return True

    def writable(self) -> Literal[True]:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        out = memoryview(buffer).cast("B")
        if not self._rest and not self.trouble:
            try:
                self._rest = memoryview(next(self._parts, b""))
            except BaseException as error:  # noqa: BLE001 - an interrupt too: raised by write_table
                self.trouble = error
        count = min(len(out), len(self._rest))
        out[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    def write(self, data: Buffer, /) -> int:
        if not self.trouble:
            try:
                self._file.write(data)
            except BaseException as error:  # noqa: BLE001 - an interrupt too: raised by write_table
                self.trouble = error
        return len(memoryview(data))


def _arrow_stream(columns: Sequence[Column[T]], rows: Iterator[T]) -> Iterator[bytes]:
    """The rows as an Arrow stream: the schema, the batches, a mark at the end, each of which every part would have."""
    schema = Schema([Field(c.name, _TIME if c.kind == "time" else _TYPES[c.kind], nullable=True) for c in columns])
    empty = io.BytesIO()
    write_ipc_stream(RecordBatchReader.from_batches(schema, []), empty)
    start = len(empty.getvalue()) - _END
    yield empty.getvalue()[:start]
    # A row becomes cells at once: a scene brings its whole document along.
    cells = ([column.known(row) for column in columns] for row in rows)
    while batch := list(islice(cells, BATCH)):
        part = io.BytesIO()
        arrays = [_array(column.kind, values) for column, values in zip(columns, zip(*batch, strict=True), strict=True)]
        write_ipc_stream(RecordBatch.from_arrays(arrays, schema=schema), part)
        yield part.getvalue()[start:-_END]
    yield empty.getvalue()[start:]


def _array(kind: Kind, values: Sequence[object]) -> Array:
    array = Array(values, _TYPES[kind])
    return array.cast(_TIME) if kind == "time" else array
