"""The file of the ledger: its schema, how it is opened, and what may be wrong with it."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.errors import OutputError
from edge.sqlite_file import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEDGER = Kind("ledger of a bulk run", 0x544B4231, 1, "--out")
NAME = "ledger.sqlite"
"""Of the file, in the folder of a run."""
WORKERS = ".workers"
"""Folder beside it, with a file for each worker: see edge.bulk.alive."""
BUSY_S = 60.0
"""How long to wait for another process: each of its transactions takes milliseconds, on a bad disk a second."""
LONGEST_WAL = 64 * 2**20
"""Bytes to which what is not in the main file yet is cut back, when it is in there."""

SCHEMA = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE
);
CREATE TABLE results (
    key TEXT PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs,
    content TEXT,
    document BLOB NOT NULL,
    partial INTEGER NOT NULL CHECK (partial IN (0, 1)),
    coverage REAL NOT NULL,
    px INTEGER NOT NULL,
    seconds REAL NOT NULL,
    acquired TEXT,
    source TEXT
);
CREATE TABLE scenes (
    number INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs,
    base TEXT NOT NULL,
    member TEXT NOT NULL,
    name TEXT NOT NULL,
    terminal TEXT,
    acquired TEXT,
    source TEXT,
    gsd_m REAL,
    size INTEGER,
    stamp TEXT,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'partial', 'failed')),
    content TEXT,
    key TEXT REFERENCES results,
    px INTEGER NOT NULL DEFAULT 0,
    cause TEXT,
    mend TEXT,
    transient INTEGER,
    tries INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    since REAL NOT NULL
);
CREATE UNIQUE INDEX by_place ON scenes (run, base, member);
CREATE INDEX waiting ON scenes (run) WHERE state = 'waiting';
CREATE INDEX running ON scenes (run, owner) WHERE state = 'running';
CREATE INDEX ended ON scenes (run, since) WHERE state IN ('done', 'partial', 'failed');
CREATE INDEX failed ON scenes (run, since) WHERE state IN ('partial', 'failed');
CREATE INDEX partial ON scenes (key) WHERE state = 'partial';

CREATE TABLE tallies (
    run INTEGER NOT NULL REFERENCES runs,
    state TEXT NOT NULL,
    scenes INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    px INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, state)
) WITHOUT ROWID;
CREATE TRIGGER run_added AFTER INSERT ON runs BEGIN
    INSERT INTO tallies (run, state) VALUES (new.number, 'waiting'), (new.number, 'running'), (new.number, 'done'),
        (new.number, 'partial'), (new.number, 'failed');
END;
CREATE TRIGGER scene_added AFTER INSERT ON scenes BEGIN
    UPDATE tallies SET scenes = scenes + 1, bytes = bytes + coalesce(new.size, 0), px = px + new.px
        WHERE run = new.run AND state = new.state;
END;
CREATE TRIGGER scene_changed AFTER UPDATE OF state, size, px ON scenes BEGIN
    UPDATE tallies SET scenes = scenes - 1, bytes = bytes - coalesce(old.size, 0), px = px - old.px
        WHERE run = old.run AND state = old.state;
    UPDATE tallies SET scenes = scenes + 1, bytes = bytes + coalesce(new.size, 0), px = px + new.px
        WHERE run = new.run AND state = new.state;
END;
CREATE TRIGGER scene_removed AFTER DELETE ON scenes BEGIN
    UPDATE tallies SET scenes = scenes - 1, bytes = bytes - coalesce(old.size, 0), px = px - old.px
        WHERE run = old.run AND state = old.state;
END;
"""
"""Triggers count: asking how far a run is costs the same with ten scenes and with a million."""
MIGRATIONS: dict[int, str] = {}
"""By version: commands that make the next one of it."""


def connect(path: Path, *, alone: bool) -> sqlite3.Connection:
    """Open the ledger for writing, or begin one; only one process may be doing this at a time.

    Args:
        path: in a folder that is there.
        alone: no other process has it open: it is looked through where the last one did not close it.

    Raises:
        OutputError: it cannot be opened or written, is none, is damaged, is from a newer version, or its file system
            has no shared memory for it.
    """
    left_open = alone and _not_empty(wal_of(path))
    with explained(path):
        database = _open(path)
        try:
            version = LEDGER.version_of(path, database)
            if version and left_open:
                LEDGER.check(path, database)
            _prepare(path, database, version)
        except BaseException:
            database.close()
            raise
    return database


def reader(path: Path) -> sqlite3.Connection:
    """Open a ledger that another connection of this process has, to read only.

    Raises:
        OutputError: it cannot be opened.
    """
    with explained(path):
        database = _open(path)
        database.execute("PRAGMA query_only = ON")
    return database


@contextmanager
def changing(path: Path, database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A transaction; undone if the block raises.

    Raises:
        OutputError: the disk is full, or the like.
    """
    with explained(path):
        try:
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")
        finally:
            if database.in_transaction:
                database.execute("ROLLBACK")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Tell what SQLite says in the user's words.

    Raises:
        OutputError: instead of sqlite3.Error.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise OutputError(path, *_told(str(error))) from error


def text_of(raw: bytes) -> str:
    """A text of the ledger. Names of files need not be Unicode: Python has half surrogate pairs in them then."""
    return raw.decode("utf-8", "surrogatepass")


def raw_of(text: str | None) -> bytes | None:
    """A text for the ledger; a command must cast it to TEXT. In the order of bytes they are in Python's own order."""
    return None if text is None else text.encode("utf-8", "surrogatepass")


def wal_of(path: Path) -> Path:
    """The file with what is not in the main one yet; it is there while a ledger is open, and after a kill."""
    return path.with_name(f"{path.name}-wal")


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    database.text_factory = text_of
    return database


def _prepare(path: Path, database: sqlite3.Connection, version: int) -> None:
    """Bring the file to the newest version, and set how it is written."""
    mode = database.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        cause = f"its file system cannot share memory between processes (SQLite's journal mode stays {mode})"
        raise OutputError(path, cause, "choose a folder on a disk of this machine")
    database.execute("PRAGMA synchronous = NORMAL")  # see edge.bulk.ledger
    database.execute(f"PRAGMA journal_size_limit = {LONGEST_WAL}")
    steps = [MIGRATIONS[step] for step in range(version, LEDGER.version)] if version else [SCHEMA]
    if steps:
        database.executescript(f"BEGIN IMMEDIATE;{''.join(steps)}{LEDGER.mark()}COMMIT")
    else:
        database.execute("BEGIN IMMEDIATE")  # says at once where nothing can be written
        database.execute("ROLLBACK")


def _not_empty(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _told(text: str) -> tuple[str, str]:
    """Cause and mend of an error."""
    known = {
        "full": ("no space is left there", "free some space; nothing that was scored is lost"),
        "readonly": ("may not be written", "choose a folder that you may write to"),
        "not a database": (f"is no {LEDGER.name} ({text})", LEDGER.elsewhere),
        "malformed": (f"is damaged ({text})", LEDGER.elsewhere),
        "locked": ("another process has been writing it for a minute", "wait for it, or stop it"),
        "locking protocol": ("its file system has no locks", "choose a folder on a disk of this machine"),
        "unable to open": (f"cannot be opened ({text})", "choose a folder that you may write to, with room left"),
    }
    other = (f"cannot be used ({text})", "choose a folder on a disk of this machine, with room left")
    return next((told for word, told in known.items() if word in text), other)
