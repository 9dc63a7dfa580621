"""Processes that share a ledger and are killed: each scene ends once, and nothing that was ended is lost."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from edge.bulk.alive import peers
from edge.bulk.ledger import Ledger
from edge.bulk.ledger_file import wal_of
from edge.bulk.task import Task
from tests.ledger_workers import PROCESSES, RUN, done_of, entry, fill, hold, work

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

SCENES = 200
LONGEST_S = 0.03
"""Between two kills."""
_DIARY = """
    CREATE TABLE diary (number INTEGER, old TEXT, new TEXT, old_owner TEXT, new_owner TEXT);
    CREATE TRIGGER diary AFTER UPDATE OF state ON scenes BEGIN
        INSERT INTO diary VALUES (new.number, old.state, new.state, old.owner, new.owner);
    END;
"""
"""Keeps each change of a scene, in the transaction that makes it."""


@dataclass
class Campaign:
    """Processes on one ledger that are killed, and others that take their places."""

    path: Path
    width: int
    chance: random.Random
    running: list[ForkServerProcess] = field(default_factory=list)
    killed: set[int] = field(default_factory=set)
    tokens: dict[str, int] = field(default_factory=dict)
    """Numbers of the processes of workers that were seen."""

    def start(self) -> None:
        process = PROCESSES.Process(target=work, args=(self.path, self.chance.randint(1, 4)), daemon=True)
        process.start()
        self.running.append(process)

    def kill(self) -> None:
        """Kill one at a random moment, and start another."""
        time.sleep(self.chance.uniform(0, LONGEST_S))
        self.tokens |= {peer.token: peer.pid for peer in peers(self.path.parent / ".workers") if peer.pid}
        victim = self.running.pop(self.chance.randrange(len(self.running)))
        if victim.is_alive():
            self.killed.add(victim.pid or 0)
        victim.kill()
        victim.join()
        victim.close()
        self.start()

    def run(self, ledger: Ledger) -> None:
        for _ in range(self.width):
            self.start()
        while ledger.left() > SCENES // 5:
            self.kill()
        work(self.path, 3)  # what nobody wants any more, and what the dead had
        for process in self.running:
            process.join()
            process.close()
        work(self.path, 3)


def undisturbed(entries: list[Any]) -> list[tuple[Any, ...]]:
    """What one process would make of them."""
    found = []
    for listed in sorted(entries, key=lambda each: each.place):
        done = done_of(Task(0, listed.place, listed.name))
        said = done.document and {key: part for key, part in done.document.items() if key != "seconds"}
        found.append((listed.place, "failed" if done.failure else "done", done.content, said, done.failure))
    return found


@pytest.mark.parametrize("width", [2, 4])
def test_each_scene_ends_once_whoever_is_killed(tmp_path: Path, width: int) -> None:
    path = tmp_path / "ledger.sqlite"
    entries = [entry(f"{number}.tif") for number in range(SCENES)]
    campaign = Campaign(path, width, random.Random(width))  # noqa: S311 - no secret
    with Ledger(path, RUN) as ledger:
        ledger.add(entries)
        with closing(sqlite3.connect(path)) as database:
            database.executescript(_DIARY)
        campaign.run(ledger)
        rows = [(row.place, row.state, row.content, row.document, row.failure) for row in ledger.rows()]
        assert ledger.left() == 0
    assert rows == undisturbed(entries)
    assert len(campaign.killed) >= 1
    with closing(sqlite3.connect(path)) as database:
        _check_diary(database.execute("SELECT * FROM diary ORDER BY rowid").fetchall(), campaign)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _check_diary(diary: list[tuple[int, str, str, str, str]], campaign: Campaign) -> None:
    """Hold each change against what may be."""
    owners: dict[int, str | None] = {}
    ends = 0
    for number, old, new, old_owner, new_owner in diary:
        assert old_owner == owners.get(number), "nobody else has changed it meanwhile"
        owners[number] = new_owner
        if old == "waiting":
            assert (new, old_owner) == ("running", None)
        else:
            assert (old, new_owner) == ("running", None)
            assert new in {"waiting", "done", "failed"}
            ends += new != "waiting"
        if new == "waiting" and campaign.tokens.get(old_owner):
            assert campaign.tokens[old_owner] in campaign.killed, "only the dead lose a scene"
    assert ends == len(owners) == SCENES


def test_what_was_ended_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, RUN) as ledger:
        ledger.add(entry(f"{number}.tif") for number in range(10))
        here, there = PROCESSES.Pipe()
        with closing(here), closing(there):
            process = PROCESSES.Process(target=hold, args=(path, 4, there))
            process.start()
            numbers = here.recv()
            assert [task.number for task in ledger.claim(99)] == list(range(5, 11)), "the others are another's"
            process.kill()
            process.join()
            assert [task.number for task in ledger.claim(99)] == numbers == [1, 2, 3, 4]


def test_a_full_disk_leaves_a_ledger_that_goes_on(tmp_path: Path) -> None:
    """RLIMIT_FSIZE is a disk for each file, and its end is met in the middle of a transaction."""
    path = tmp_path / "ledger.sqlite"
    here, there = PROCESSES.Pipe()
    with closing(here), closing(there):
        process = PROCESSES.Process(target=fill, args=(path, 300_000, there))
        process.start()
        error, entered, ended = here.recv()
        process.join()
        assert process.exitcode == 0
        process.close()
    assert (
        "ledger.sqlite: cannot be used (disk I/O error); choose a folder on a disk of this machine, with room" in error
    )
    assert ended > 20
    with Ledger(path, RUN) as ledger:
        tally = ledger.tally()
        assert ended <= tally.done + tally.failed <= ended + 20
        assert entered <= tally.total <= entered + 100
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert ledger.add(entry(f"{number}.tif") for number in range(1000)).known >= tally.done
        while tasks := ledger.claim(99):
            ledger.finish([done_of(task) for task in tasks])
        assert ledger.tally().total == 1000
    assert not wal_of(path).exists(), "it was closed as it should be"
