"""What a bulk run has to do and has done, a SQLite file that several processes of a machine share.

A process that is killed, at whatever moment, loses nothing that `finish` has returned from. A power cut may lose the
last transactions, whose scenes are then scored again; the file stays whole (WAL with synchronous = NORMAL).

A scene is its place and the run: a model and its settings. It waits, a worker claims it and so runs it, and it ends
done, partial or failed. What a worker has claimed others can claim once it is dead (edge.bulk.alive); what it brings
after it has lost a scene all the same is kept as a result, but the scene is no longer its own to end.

Results are kept by the hash of what they are results of: the same bytes are scored once, wherever they lie. A whole
result stays as it is; one in part gives way to a whole one, or to one of which less is missing.
"""

from __future__ import annotations

import threading
import zlib
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.bulk.alive import Worker, alive, machine, peers, sweep
from edge.bulk.inputs_base import is_archive, is_url
from edge.bulk.ledger_claim import Tally, claim, free, release, tally
from edge.bulk.ledger_end import end, keep, key_of
from edge.bulk.ledger_file import LEDGER, WORKERS, changing, connect, explained, reader
from edge.bulk.ledger_listing import Added, batches, enter
from edge.bulk.ledger_row import ROW, pack, row_of
from edge.bulk.locks import Exclusive
from edge.errors import OutputError, UsageError
from edge.write.atomic import make_folder

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType

    from edge.bulk.alive import Peer
    from edge.bulk.entry import Entry
    from edge.bulk.row import Rows, SceneRow
    from edge.bulk.task import Done, Task

_OPENING = ".opening"
"""In the workers' folder: held while a ledger is opened."""


class Ledger:
    """A run's part of a ledger; safe to use from several threads. All of it raises OutputError where the file fails."""

    def __init__(self, path: Path, run: str) -> None:
        """Open a ledger, or begin one, and be alive as a worker on it until `close`.

        Args:
            path: of the file; its folder is made where it is not there.
            run: from `edge.bulk.settings.run_key`.

        Raises:
            OutputError: it cannot be opened or written, is none, is damaged, is from a newer version, or is in use on
                another machine.
        """
        self._path, self._key, self._workers = path, run, path.parent / WORKERS
        self._claims: dict[int, float | None] = {}
        """By number: the GSD, m/px, with which a scene was claimed."""
        self._writing, self._reading = threading.Lock(), threading.Lock()
        make_folder(self._workers)
        with ExitStack() as stack, Exclusive(self._workers / _OPENING):
            self._write = stack.enter_context(closing(connect(path, alone=not self._others())))
            self._read = stack.enter_context(closing(reader(path)))
            self._run = self._begin()
            self._worker = stack.enter_context(closing(Worker(self._workers, run)))
            self._stack = stack.pop_all()

    def __enter__(self) -> Ledger:  # noqa: PYI034 - Self is of Python 3.11
        """Open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Give back what is claimed, and let go of the file; where that fails, others see that this worker is dead."""
        with suppress(OutputError):
            self.release(list(self._claims))
        self._stack.close()

    def add(self, entries: Iterable[Entry]) -> Added:
        """Enter a listing, some thousand entries at a time; what runs, or is as it was, is not touched."""
        added = Added()
        for batch in batches(entries):
            with self._changing() as database:
                self._free(database)
                added += enter(database, self._run, batch)
        return added

    def forget_failures(self) -> None:
        """Forget failures of files that are gone, and of archives that can be listed by now; call it after `add`.

        What failed and is listed again waits by then.
        """
        command = "SELECT number, base, member FROM scenes WHERE run = ? AND state = 'failed'"
        with self._changing() as database:
            failed = database.execute(command, (self._run,)).fetchall()
            gone = [(number,) for number, base, member in failed if _is_gone(base, member)]
            database.executemany("DELETE FROM scenes WHERE number = ?", gone)

    def claim(self, most: int) -> list[Task]:
        """Take scenes that wait, the first listed first, and those whose worker is dead; no other worker gets them."""
        with self._changing() as database:
            self._free(database)
            tasks = claim(database, self._run, self._worker.token, most)
        self._claims.update((task.number, task.gsd_m) for task in tasks)
        return tasks

    def finish(self, dones: Sequence[Done]) -> None:
        """End claimed scenes, all of them or none; what is not claimed, or has ended already, is passed over."""
        packed = [(done, pack(done)) for done in dones]
        with self._changing() as database:
            for done, document in packed:
                if done.number not in self._claims:
                    continue
                key = key_of(done.content, self._key, self._claims[done.number])
                if document is not None:
                    keep(database, self._key, key, done, document)
                end(database, self._worker.token, key, done)
        for done in dones:
            self._claims.pop(done.number, None)

    def release(self, numbers: Sequence[int]) -> None:
        """Let claimed scenes wait again."""
        with self._changing() as database:
            release(database, self._worker.token, numbers)
        for number in numbers:
            self._claims.pop(number, None)

    def restart(self) -> None:
        """Forget all scenes and results of this run; other runs keep theirs.

        Raises:
            UsageError: another process is at work on it.
        """
        with self._changing() as database:  # whoever starts from here on waits for the end of this
            fellow = self._fellow()
            if fellow:
                cause = f"process {fellow.pid} on {fellow.host} is at work on this run"
                raise UsageError("--no-resume", cause, "wait for it, or stop it")
            database.execute("DELETE FROM scenes WHERE run = ?", (self._run,))
            database.execute("DELETE FROM results WHERE run = ?", (self._run,))
        self._claims.clear()

    def known(self, content: str, gsd_m: float | None) -> bool:
        """Whether there is a whole result.

        Args:
            content: hash of the scene's bytes.
            gsd_m: m/px, of its task.
        """
        command = "SELECT 1 FROM results WHERE key = ? AND NOT partial"
        return bool(self._ask(command, key_of(content, self._key, gsd_m)))

    def tally(self) -> Tally:
        """How far the run is; at the same small cost however many scenes there are."""
        with self._reading, explained(self._path):
            return tally(self._read, self._run, self._worker.token)

    def left(self) -> int:
        """Scenes that wait or run, anywhere."""
        command = "SELECT sum(scenes) FROM tallies WHERE run = ? AND state IN ('waiting', 'running')"
        return int(self._ask(command, self._run)[0][0])

    @contextmanager
    def snapshot(self) -> Iterator[Rows]:
        """All scenes that have ended, in the order of their places, as they are now, however often they are asked for.

        One is in memory at a time, and nobody has to wait for the end of the block. The order is that of Python's
        strings, and of UTF-8's bytes.
        """
        with closing(reader(self._path)) as database:
            with explained(self._path):
                database.execute("BEGIN")
                database.execute("SELECT count(*) FROM runs").fetchone()  # what is read first decides what is seen
            yield lambda: self._rows_of(database)

    def rows(self) -> Iterator[SceneRow]:
        """The same, once."""
        with self.snapshot() as rows:
            yield from rows()

    def _rows_of(self, database: sqlite3.Connection) -> Iterator[SceneRow]:
        with explained(self._path):
            for number, cells in enumerate(database.execute(ROW, (self._run,)), 1):
                try:
                    row = row_of(number, cells)
                except (zlib.error, ValueError) as error:
                    raise OutputError(self._path, f"is damaged ({error})", LEDGER.elsewhere) from error
                yield row

    def _others(self) -> bool:
        """Whether other workers live; they must be on this machine: SQLite's shared memory does not go further."""
        living = [peer for peer in peers(self._workers) if peer.alive]
        for peer in living:
            if peer.machine not in (None, machine()):
                mend = "wait for it, or give this one another --out; one run on many machines is --engine ray"
                raise OutputError(self._path, f"is in use on another machine, {peer.host}", mend)
        return bool(living)

    def _fellow(self) -> Peer | None:
        """Another worker that is at work on this run."""
        others = (peer for peer in peers(self._workers) if peer.alive and peer.token != self._worker.token)
        return next((peer for peer in others if peer.run == self._key), None)

    def _begin(self) -> int:
        """Enter this run, and remove what dead workers left; the number of the run."""
        with self._changing() as database:
            database.execute("INSERT OR IGNORE INTO runs (key) VALUES (?)", (self._key,))
            number = int(database.execute("SELECT number FROM runs WHERE key = ?", (self._key,)).fetchone()[0])
            owners = database.execute("SELECT DISTINCT owner FROM scenes WHERE state = 'running'")
            sweep(self._workers, {owner for (owner,) in owners})  # of whom others can still tell who they were
        return number

    def _free(self, database: sqlite3.Connection) -> None:
        """Let wait what dead workers were running."""
        free(database, self._run, lambda owner: owner == self._worker.token or alive(self._workers, owner))

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, of one thread at a time."""
        with self._writing, changing(self._path, self._write) as database:
            yield database

    def _ask(self, command: str, *values: str | int) -> list[tuple[Any, ...]]:
        """All that a question gives."""
        with self._reading, explained(self._path):
            return self._read.execute(command, values).fetchall()


def _is_gone(base: str, member: str) -> bool:
    """Whether an input that failed is no input any more; what is in a store stays."""
    if is_url(base):
        return False
    return (not member and is_archive(base)) or not Path(base).exists()
