"""What a listing changes in the ledger."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from edge.bulk.ledger_row import LISTED, listed_cells

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from edge.bulk.entry import Entry
    from edge.bulk.ledger_row import Cell

BATCH = 2000
"""Entries a transaction: others wait for it, some hundredths of a second."""
_TEXTS = frozenset({"base", "member", "name", "terminal", "stamp"})
_UNTOLD = "(excluded.stamp IS NULL AND excluded.size IS NULL)"
"""A listing says neither: the scene is looked at again; where its bytes are known, nothing is scored for that."""
_KEPT = f"""(scenes.state = 'done' AND NOT {_UNTOLD} AND scenes.gsd_m IS excluded.gsd_m AND
    CASE WHEN scenes.stamp IS NULL OR excluded.stamp IS NULL THEN scenes.size IS excluded.size
    ELSE scenes.stamp = excluded.stamp END)"""
"""Of a scene that is listed again: whether what was scored still holds. Without stamps the size must tell."""
_COMPARED = LISTED[2:]


def _list_command() -> str:
    """Enters a scene, or brings that of its place up to date; what is running, or as listed, is not touched."""
    cells = ", ".join("CAST(? AS TEXT)" if name in _TEXTS else "?" for name in LISTED)
    taken = ", ".join(f"{name} = excluded.{name}" for name in _COMPARED if name != "stamp")
    forgotten = ", ".join(
        f"{name} = CASE WHEN {_KEPT} THEN scenes.{name} ELSE {bare} END"
        for name, bare in {"content": "NULL", "key": "NULL", "px": 0, "tries": 0, "since": "excluded.since"}.items()
    )
    old, new = (", ".join(f"{side}.{name}" for name in _COMPARED) for side in ("scenes", "excluded"))
    return f"""
        INSERT INTO scenes (run, state, since, {", ".join(LISTED)}) VALUES (?, 'waiting', ?, {cells})
        ON CONFLICT (run, base, member) DO UPDATE SET {taken}, {forgotten}, cause = NULL, mend = NULL, transient = NULL,
            stamp = CASE WHEN {_KEPT} THEN coalesce(excluded.stamp, scenes.stamp) ELSE excluded.stamp END,
            state = CASE WHEN {_KEPT} THEN 'done' ELSE 'waiting' END
        WHERE scenes.state IN ('partial', 'failed')
            OR (scenes.state IN ('waiting', 'done') AND ({old}) IS NOT ({new}))
            OR (scenes.state = 'done' AND {_UNTOLD})
    """  # noqa: S608 - of this file's words


_LIST = _list_command()


@dataclass(frozen=True, slots=True)
class Added:
    """What a listing brought."""

    new: int = 0
    """Places that were not in the ledger."""
    again: int = 0
    """Scenes that had ended and wait again: they had failed, or they are not the same any more."""
    known: int = 0
    """The others: done, waiting or running already."""

    def __add__(self, other: Added) -> Added:
        """Both together."""
        return Added(self.new + other.new, self.again + other.again, self.known + other.known)


def batches(entries: Iterable[Entry]) -> Iterator[list[tuple[Cell, ...]]]:
    """The cells of entries, BATCH at a time."""
    cells = map(listed_cells, entries)
    while batch := list(islice(cells, BATCH)):
        yield batch


def enter(database: sqlite3.Connection, run: int, batch: Sequence[tuple[Cell, ...]]) -> Added:
    """Bring scenes of a run up to date, in a transaction that has begun."""
    before = _numbers(database, run)
    now = time.time()
    database.executemany(_LIST, ((run, now, *cells) for cells in batch))
    after = _numbers(database, run)
    new = sum(after.values()) - sum(before.values())
    again = after["waiting"] - before["waiting"] - new
    return Added(new, again, len(batch) - new - again)


def _numbers(database: sqlite3.Connection, run: int) -> dict[str, int]:
    return dict(database.execute("SELECT state, scenes FROM tallies WHERE run = ?", (run,)))
