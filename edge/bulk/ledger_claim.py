"""Who works on which scene: each command is for a transaction that has begun, or reads by itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.bulk.entry import Place
from edge.bulk.task import Task

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

_OWNERS = "SELECT DISTINCT owner FROM scenes INDEXED BY running WHERE run = ? AND state = 'running'"
_FREE = "UPDATE scenes SET state = 'waiting', owner = NULL WHERE run = ? AND state = 'running' AND owner = ?"
_WAITING = """
    SELECT number, base, member, name, gsd_m, size FROM scenes INDEXED BY waiting
    WHERE run = ? AND state = 'waiting' ORDER BY number LIMIT ?
"""
_CLAIM = "UPDATE scenes SET state = 'running', owner = ?, since = ? WHERE number = ?"
_RELEASE = "UPDATE scenes SET state = 'waiting', owner = NULL WHERE number = ? AND owner = ? AND state = 'running'"
_TALLY = """
    SELECT state, scenes, bytes, px, (SELECT count(*) FROM scenes INDEXED BY running
        WHERE scenes.run = tallies.run AND scenes.state = 'running' AND owner = ? AND tallies.state = 'running')
    FROM tallies WHERE run = ?
"""


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a run is."""

    waiting: int
    here: int
    """Running, by this worker."""
    elsewhere: int
    """Running, by others; some of them may be dead."""
    done: int
    partial: int
    failed: int
    bytes_total: int
    """Of all scenes whose size is known."""
    bytes_left: int
    """Of these, waiting or running."""
    px: int
    """Of the scenes that are done, in part too."""

    @property
    def left(self) -> int:
        """Waiting or running."""
        return self.waiting + self.here + self.elsewhere

    @property
    def total(self) -> int:
        """All scenes."""
        return self.left + self.done + self.partial + self.failed


def free(database: sqlite3.Connection, run: int, alive: Callable[[str], bool]) -> None:
    """Let wait what dead workers were running."""
    owners = [owner for (owner,) in database.execute(_OWNERS, (run,)).fetchall()]
    database.executemany(_FREE, [(run, owner) for owner in owners if not alive(owner)])


def claim(database: sqlite3.Connection, run: int, owner: str, most: int) -> list[Task]:
    """Take the scenes that wait, the first listed first."""
    found = database.execute(_WAITING, (run, most)).fetchall()
    tasks = [Task(number, Place(base, member), *rest) for number, base, member, *rest in found]
    now = time.time()
    database.executemany(_CLAIM, [(owner, now, task.number) for task in tasks])
    return tasks


def release(database: sqlite3.Connection, owner: str, numbers: Iterable[int]) -> None:
    """Let scenes wait again that are this owner's."""
    database.executemany(_RELEASE, [(number, owner) for number in numbers])


def tally(database: sqlite3.Connection, run: int, owner: str | None) -> Tally:
    """Of a run, as an owner sees it."""
    found = {state: numbers for state, *numbers in database.execute(_TALLY, (owner, run)).fetchall()}
    scenes, sizes, px = ({state: numbers[k] for state, numbers in found.items()} for k in range(3))
    here = found["running"][3]
    return Tally(
        waiting=scenes["waiting"],
        here=here,
        elsewhere=scenes["running"] - here,
        done=scenes["done"],
        partial=scenes["partial"],
        failed=scenes["failed"],
        bytes_total=sum(sizes.values()),
        bytes_left=sizes["waiting"] + sizes["running"],
        px=px["done"] + px["partial"],
    )
