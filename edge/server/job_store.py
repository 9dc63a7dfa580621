"""The ledger of jobs, a SQLite file: what was accepted is there after a crash, and after a power cut.

One connection, which the threads take in turn, has the file for itself: a second server on it is refused. Each change
is one short transaction that is on the disk when the call returns. A job changes its state only here, and only along
MOVES: of two that want to end the same job, one succeeds and the other is told that it came too late.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edge.errors import OutputError
from edge.server.job_ledger import connect
from edge.server.job_record import ENDED, MOVES, Job, State
from edge.server.job_row import COLUMNS, job_of, plain, row_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ALIVE = "removed IS NULL"
_BARE = {"place": None, "error": None, "counts": None, "interval": None}
"""What the row of a removed job no longer tells."""


class JobStore:
    """Jobs on disk; safe to use from several threads. What changes something raises OutputError if the disk is full."""

    def __init__(self, path: Path) -> None:
        """Open the ledger, or begin one.

        Raises:
            OutputError: it cannot be opened or written, is none, is from a newer version, or is in use.
        """
        self._lock = threading.Lock()
        self._database = connect(path)
        self._versions: dict[str, int] = {}

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    def version(self, job_id: str) -> int:
        """A number that is another after each change of a job."""
        return self._versions.get(job_id, 0)

    def add(self, job: Job) -> tuple[Job, bool]:
        """Accept a job; or tell which has its idempotency key already, and False."""
        with self._changing() as database:
            known = self._first("key = ?", job.key) if job.key else None
            if known:
                return known, False
            marks = ", ".join("?" * len(COLUMNS))
            database.execute(f"INSERT INTO jobs ({', '.join(COLUMNS)}) VALUES ({marks})", row_of(job))  # noqa: S608
            return job, True

    def get(self, job_id: str) -> Job | None:
        """A job, or what is left of it."""
        with self._lock:
            return self._first("id = ?", job_id)

    def by_key(self, key: str) -> Job | None:
        """The job of an idempotency key."""
        with self._lock:
            return self._first("key = ?", key)

    def newest(self, state: State | None, limit: int) -> list[Job]:
        """Jobs that are not removed, the newest first."""
        where, values = (f"{_ALIVE} AND state = ?", (state,)) if state else (_ALIVE, ())
        with self._lock:
            return self._all(f"{where} ORDER BY number DESC LIMIT ?", *values, limit)

    def numbers(self) -> dict[str, int]:
        """How many jobs are in each state; those removed are in none."""
        command = f"SELECT state, count(*) FROM jobs WHERE {_ALIVE} GROUP BY state"  # noqa: S608 - of this file's words
        with self._lock:
            found = self._database.execute(command).fetchall()
        return {**dict.fromkeys(MOVES, 0), **dict(found)}

    def promised(self) -> int:
        """Bytes that are still to come of uploads in parts."""
        with self._lock:
            command = "SELECT coalesce(sum(length - received), 0) FROM jobs WHERE state = 'receiving'"
            return int(self._database.execute(command).fetchone()[0])

    def move(self, job_id: str, to: State, **changes: Any) -> bool:  # noqa: ANN401 - fields of Job
        """Bring a job into another state, and change other fields with it.

        Returns:
            Whether it was in a state from which that may be.
        """
        origins = [state for state, onward in MOVES.items() if to in onward]
        return self._update(job_id, origins, {"state": to, **changes})

    def note(self, job_id: str, **changes: Any) -> bool:  # noqa: ANN401 - fields of Job
        """Change fields of a job that is being received; whether it still is."""
        return self._update(job_id, ["receiving"], changes)

    def begin(self, most_px: int | None = None) -> Job | None:
        """Take the job that has waited longest, now running; None where none waits.

        Args:
            most_px: of its scene; None takes any, those too whose size is not known yet.
        """
        small, values = ("", ()) if most_px is None else (" AND px <= ?", (most_px,))
        with self._changing() as database:
            job = self._first(f"state = 'waiting'{small} ORDER BY queued, number LIMIT 1", *values)
            if job is None:
                return None
            job = replace(job, state="running", started=time.time(), attempts=job.attempts + 1)
            database.execute(
                "UPDATE jobs SET state = ?, started = ?, attempts = ? WHERE id = ?",
                (job.state, job.started, job.attempts, job.id),
            )
            self._changed(job.id)
            return job

    def bury(self, job_id: str, now: float) -> bool:
        """Remove an ended job but for the row that says so; whether it was there."""
        return self._update(job_id, sorted(ENDED), {"removed": now, **_BARE})

    def left_over(self) -> list[Job]:
        """Jobs that a server which has ended was running, the longest waiting first."""
        with self._lock:
            return self._all("state = 'running' ORDER BY queued, number")

    def holding(self) -> list[Job]:
        """Jobs that have files."""
        with self._lock:
            return self._all(f"{_ALIVE} AND state NOT IN ('failed', 'cancelled')")

    def overdue(self, now: float) -> list[Job]:
        """Jobs whose time is up."""
        with self._lock:
            return self._all(f"{_ALIVE} AND expires <= ?", now)

    def postpone(self, seconds: float, after: float, until: float) -> None:
        """Let what expires after a time, and not after another, do so so much later."""
        command = f"UPDATE jobs SET expires = expires + ? WHERE {_ALIVE} AND expires > ? AND expires <= ?"  # noqa: S608 - as above
        with self._changing() as database:
            database.execute(command, (seconds, after, until))

    def forget(self, before: float) -> None:
        """Delete the rows of jobs that were removed before a time."""
        with self._changing() as database:
            gone = database.execute("SELECT id FROM jobs WHERE removed < ?", (before,)).fetchall()
            database.executemany("DELETE FROM jobs WHERE id = ?", gone)
            for (job_id,) in gone:
                self._versions.pop(job_id, None)

    def _update(self, job_id: str, states: list[State], changes: dict[str, Any]) -> bool:
        """Change a job that is not removed, if it is in one of these states."""
        settings = ", ".join(f"{name} = ?" for name in changes)
        marks = ", ".join("?" * len(states))
        command = f"UPDATE jobs SET {settings} WHERE id = ? AND {_ALIVE} AND state IN ({marks})"  # noqa: S608
        values = [plain(name, value) for name, value in changes.items()]
        with self._changing() as database:
            changed = database.execute(command, (*values, job_id, *states)).rowcount == 1
            if changed:
                self._changed(job_id)
            return changed

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, on the disk when the block has ended; undone if it raises."""
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except BaseException as error:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    cause = f"the server's list of jobs cannot be written ({error})"
                    raise OutputError("job", cause, "try again later, or tell its operator") from error
                raise

    def _changed(self, job_id: str) -> None:
        """Give a job another version; who sees it before the transaction ends waits for the lock to read the job."""
        self._versions[job_id] = self._versions.get(job_id, 0) + 1

    def _first(self, where: str, *values: object) -> Job | None:
        return next(iter(self._all(where, *values)), None)

    def _all(self, where: str, *values: object) -> list[Job]:
        """Jobs that a condition selects."""
        command = f"SELECT {', '.join(COLUMNS)} FROM jobs WHERE {where}"  # noqa: S608 - of this file's words
        return [job_of(row) for row in self._database.execute(command, values).fetchall()]
