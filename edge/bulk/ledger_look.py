"""A look at a ledger from outside, whether its run lives or is dead, and without a byte of it being changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from edge.bulk.ledger_file import BUSY_S, LEDGER, explained, text_of, wal_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


def look(path: Path, ask: Callable[[sqlite3.Connection], T]) -> T:
    """Ask a ledger something, all of it as it is at one moment; its folder may be one that nobody can write to.

    Args:
        path: of a file that is there.
        ask: asks; called again where somebody began to write meanwhile.

    Raises:
        OutputError: it cannot be read, is none, is damaged, or is from a newer version.
    """
    with explained(path):
        # One that nobody has open is read as a plain file: to share it, SQLite would have to make others beside it.
        while not wal_of(path).exists():
            before = path.stat().st_mtime_ns
            try:
                found = _asked(path, ask, "&immutable=1")
            except sqlite3.Error:
                if _untouched(path, before):
                    raise
            else:
                if _untouched(path, before):
                    return found
        return _asked(path, ask)


def _untouched(path: Path, before: int) -> bool:
    """Whether nobody has opened it since its time of change was looked at."""
    return not wal_of(path).exists() and path.stat().st_mtime_ns == before


def _asked(path: Path, ask: Callable[[sqlite3.Connection], T], how: str = "") -> T:
    address = f"{path.resolve().as_uri()}?mode=ro{how}"
    with closing(sqlite3.connect(address, timeout=BUSY_S, isolation_level=None, uri=True)) as database:
        database.text_factory = text_of
        database.execute("BEGIN")
        LEDGER.version_of(path, database)
        return ask(database)
