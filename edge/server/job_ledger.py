"""The file of the ledger: its schema, how it is opened, and what may be wrong with it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from edge.errors import OutputError
from edge.sqlite_file import Kind
from edge.write.atomic import make_folder

if TYPE_CHECKING:
    from pathlib import Path

LEDGER = Kind("ledger of jobs", 0x544B4A31, 1, "--state")

SCHEMA = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('receiving', 'waiting', 'running', 'done', 'failed', 'cancelled')),
    scene TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('upload', 'path', 'url')),
    place TEXT,
    length INTEGER,
    received INTEGER NOT NULL,
    px INTEGER,
    options TEXT NOT NULL,
    created REAL NOT NULL,
    queued REAL,
    started REAL,
    ended REAL,
    expires REAL,
    removed REAL,
    attempts INTEGER NOT NULL,
    done INTEGER NOT NULL,
    planned INTEGER NOT NULL,
    error TEXT,
    counts TEXT,
    interval TEXT,
    key TEXT UNIQUE,
    fingerprint TEXT
);
CREATE INDEX by_state ON jobs (state, queued);
CREATE INDEX by_expiry ON jobs (expires);
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the ledger, or begin one; no other connection can use it until this one is closed.

    Raises:
        OutputError: it cannot be opened or written, is none, is from a newer version, or is in use.
    """
    make_folder(path.parent)
    try:
        database = sqlite3.connect(path, timeout=1, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise _told(path, error) from error
    try:
        _prepare(path, database)
    except BaseException as error:
        database.close()
        if isinstance(error, sqlite3.Error):
            raise _told(path, error) from error
        raise
    return database


def _prepare(path: Path, database: sqlite3.Connection) -> None:
    """Claim the file, check it, and give a new one its tables; one that is no ledger is left as it is."""
    database.execute("PRAGMA locking_mode = EXCLUSIVE")  # before the first access, so that no shared memory is needed
    database.execute("BEGIN EXCLUSIVE")
    try:
        new = _check(path, database)
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")  # each commit is on the disk, not on its way
    if new:
        database.executescript(f"BEGIN;{SCHEMA}{LEDGER.mark()}COMMIT")


def _check(path: Path, database: sqlite3.Connection) -> bool:
    """Whether it is new; what is neither that nor a ledger is refused."""
    new = not LEDGER.version_of(path, database)
    if not new:
        LEDGER.check(path, database)
    return new


def _told(path: Path, error: sqlite3.Error) -> OutputError:
    """What SQLite says, in the operator's words."""
    text = str(error)
    if "locked" in text:
        return OutputError(path, "is in use by another server", "stop that one, or give another --state")
    if "not a database" in text or "malformed" in text:
        return OutputError(path, f"is no {LEDGER.name} ({text})", LEDGER.elsewhere)
    return OutputError(path, f"cannot be opened ({text})", "give a folder that you may write to, with room left")
