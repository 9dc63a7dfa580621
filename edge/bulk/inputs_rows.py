"""The rows of a manifest, one at a time, from CSV or Parquet."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING

from edge.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO

    from arro3.core import RecordBatchReader

PATH = "path"
COLUMNS = (PATH, "gsd", "time", "terminal")
_DELIMITERS = ",;\t"
"""Some countries' Excel writes ; into CSV."""
_MAGIC = b"PAR1"
_SHOWN = 10
"""Columns that an error names."""


@dataclass(frozen=True, slots=True)
class Row:
    """One scene."""

    where: str
    """Manifest and row, as an error names them."""
    cells: Mapping[str, object]
    """By column of COLUMNS; those that there are."""


def csv_rows(base: str, file: BinaryIO) -> Iterator[Row]:
    """The rows of a CSV file in UTF-8, below its header; empty lines are left out.

    Args:
        base: how errors name it.
        file: its bytes.

    Raises:
        InputError: it is no CSV, lacks the column path, or has a row with more cells than the header.
    """
    number = 1
    try:
        with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            header = text.readline()
            delimiter = max(_DELIMITERS, key=header.count)
            reader = csv.reader(chain([header], text), delimiter=delimiter, strict=True)
            names = next(reader, [])
            columns = _columns(base, names)
            for cells in reader:
                number = reader.line_num
                row = Row(f"{base}, line {number}", {c: cells[at] for c, at in columns.items() if at < len(cells)})
                if len(cells) > len(names):
                    cause = f"has {len(cells)} cells, but the header names {len(names)} columns"
                    raise InputError(row.where, cause, "put texts with commas into quotation marks")
                if any(cells):
                    yield row
    except (csv.Error, UnicodeDecodeError) as error:
        subject = f"{base}, below line {number}"
        raise InputError(subject, f"is no CSV in UTF-8 ({error})", "save it again as CSV in UTF-8") from None


def parquet_rows(base: str, file: BinaryIO) -> Iterator[Row]:
    """The rows of a Parquet file.

    Args:
        base: how errors name it.
        file: its bytes, seekable.

    Raises:
        InputError: it is no Parquet, or lacks the column path.
    """
    _check_parquet(base, file)
    reader = _read_parquet(base, file)
    columns, numbers = _columns(base, reader.schema.names), count(1)
    while True:
        try:
            batch = reader.read_next_batch()
            cells = [batch.column(at).to_pylist() for at in columns.values()]
        except StopIteration:
            return
        except Exception as error:  # what the reader raises is not told anywhere
            raise _no_parquet(base) from error
        for values in zip(*cells, strict=True):
            yield Row(f"{base}, row {next(numbers)}", dict(zip(columns, values, strict=True)))


def _columns(base: str, names: Sequence[str]) -> dict[str, int]:
    """Where the known columns are."""
    found = [name.strip().lower() for name in names]
    if PATH not in found:
        shown = ", ".join(names[:_SHOWN]) or "none"
        raise InputError(base, f"has no column {PATH} (its columns: {shown})", f"name the column of files {PATH}")
    twice = [column for column in COLUMNS if found.count(column) > 1]
    if twice:
        raise InputError(base, f"has two columns {twice[0]}", "leave one of them out")
    return {column: found.index(column) for column in COLUMNS if column in found}


def _check_parquet(base: str, file: BinaryIO) -> None:
    """Refuse what the reader would only end with a cry on stderr for."""
    length = file.seek(0, 2)
    file.seek(max(length - 8, 0))
    tail = file.read()
    file.seek(0)
    if file.read(4) != _MAGIC or tail[4:] != _MAGIC or int.from_bytes(tail[:4], "little") > length - 12:
        raise _no_parquet(base)
    file.seek(0)


def _read_parquet(base: str, file: BinaryIO) -> RecordBatchReader:
    """Begin to read."""
    from arro3.io import read_parquet  # noqa: PLC0415 - half a megabyte that only this needs

    try:
        return read_parquet(file)
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        raise _no_parquet(base) from None  # a Rust panic is no Exception


def _no_parquet(base: str) -> InputError:
    return InputError(base, "is no Parquet file, or is damaged", "write or copy it again")
