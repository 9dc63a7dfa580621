"""SQLite files of ours: how they are told from others, and what is not opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import OutputError

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file."""

    name: str
    """As in "ledger of jobs"."""
    application: int
    """Says in the file's head whose it is."""
    version: int
    """Of the schema, from 1: the newest that is known."""
    option: str
    """Gives another place for the file, as in "--out"."""

    @property
    def elsewhere(self) -> str:
        """The mend of most troubles."""
        return f"move it away, or give another {self.option}"

    def version_of(self, path: Path, database: sqlite3.Connection) -> int:
        """Version of the schema in an open file; 0 where nothing is in it yet.

        Raises:
            OutputError: it is something else, or from a newer version.
            sqlite3.Error: it cannot be read.
        """
        application, version, tables = (
            int(database.execute(question).fetchone()[0])
            for question in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        )
        if not tables:
            return 0
        if application != self.application:
            raise OutputError(path, f"is a database, but no {self.name}", self.elsewhere)
        if version > self.version:
            cause = f"is of version {version}, from a newer tanker-edge; this one knows {self.version}"
            raise OutputError(path, cause, f"install the newer one again, or give another {self.option}")
        return version

    def check(self, path: Path, database: sqlite3.Connection) -> None:
        """Look through the whole of an open file.

        Raises:
            OutputError: it is damaged.
            sqlite3.Error: it is so damaged that it cannot be looked through.
        """
        found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise OutputError(path, f"is damaged ({found})", self.elsewhere)

    def mark(self) -> str:
        """Commands that write into the file's head what it is."""
        return f"PRAGMA application_id={self.application};PRAGMA user_version={self.version};"
